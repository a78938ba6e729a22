/** Preloaded into every server that is measured: tells its CPU time and memory when asked. */
process.on("message", () => {
  const { user, system } = process.cpuUsage();
  process.send({ cpuMicroseconds: user + system, rssBytes: process.memoryUsage.rss() });
});
// Daykey's servers drain by themselves when their parent is gone; the peers end here.
process.on("disconnect", () => setTimeout(() => process.exit(), 5000).unref());
