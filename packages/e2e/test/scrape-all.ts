/** The metrics of every kind of server, each as it is from the start. */
import { startAuthServer } from "@daykey/auth-server/test/auth-server";
import { startEgressBench } from "@daykey/gateway/test/egress";
import { startGateway } from "@daykey/gateway/test/gateway";
import { startResourceServer } from "@daykey/resource-server/test/resource-server";
import { scrape, type Scraped } from "@daykey/service/test/metrics";

export async function scrapeAll(): Promise<{ scraped: Scraped[]; stop(): Promise<void> }> {
  const [auth, api, bench] = await Promise.all([
    startAuthServer(),
    startResourceServer(),
    startEgressBench(),
  ]);
  const gateway = await startGateway({ auth });
  const credential = await bench.credentialFile("metrics.json");
  const egress = await bench.start(
    `upstreams: { a: { url: '${bench.upstreamUrl}', credential: '${credential}' } }`,
  );
  const urls = [auth, api, gateway].map(({ privateUrl }) => privateUrl);
  const all = [...urls, `http://127.0.0.1:${egress.privatePort}`];
  return {
    scraped: await Promise.all(all.map(scrape)),
    async stop() {
      await gateway.stop();
      await Promise.all([auth.stop(), api.stop(), bench.stop()]);
    },
  };
}
