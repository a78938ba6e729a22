/** express with auth0's express-oauth2-jwt-bearer before one route, as its README shows. */
import express from "express";
import { auth, requiredScopes } from "express-oauth2-jwt-bearer";
import { timeAnswer } from "./time-answer.mjs";

const { PORT, ISSUER, AUDIENCE, ALGORITHM } = process.env;

const app = express();
app.get("/livez", (_request, response) => response.json({ status: "alive" }));
app.get(
  "/time",
  auth({
    issuer: ISSUER,
    audience: AUDIENCE,
    jwksUri: `${ISSUER}/.well-known/jwks.json`,
    tokenSigningAlg: ALGORITHM,
  }),
  requiredScopes("time:read"),
  (_request, response) => response.set("Cache-Control", "no-store").json(timeAnswer()),
);
app.listen(Number(PORT), "127.0.0.1");
