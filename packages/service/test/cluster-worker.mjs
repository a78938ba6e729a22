// A worker of node:cluster's that greets whoever connects.
import { createServer } from "node:net";

createServer((socket) => socket.end("hello")).listen(0, "127.0.0.1");
