/** What `GET /time` answers, made as Daykey's resource-server makes it. */
export function timeAnswer() {
  const now = new Date();
  const time = now.toISOString();
  return { time, epoch_seconds: now.getTime() / 1000, zone: "UTC", local: localTime(time) };
}

function localTime(time) {
  return time.replace("Z", "+00:00");
}
