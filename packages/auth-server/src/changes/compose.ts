/** The change watcher, and the connection on which the database says that there is something to read. */
import { createListener } from "@daykey/service/database/listen";
import type { Ground } from "../ground.ts";
import { CHANGES_CHANNEL, createChangesStore } from "./changes-store.ts";
import { type ChangeHandlers, type ChangeWatcher, startChangeWatcher } from "./watcher.ts";

/** @throws what the first read throws */
export async function composeChanges({
  settings,
  database,
  clock,
  log,
  opened,
  handlers,
}: Pick<Ground, "settings" | "database" | "clock" | "log" | "opened"> & {
  handlers: ChangeHandlers;
}): Promise<ChangeWatcher> {
  const watcher = await startChangeWatcher({
    store: createChangesStore(database),
    handlers,
    clock,
    log,
    staleAfterSeconds: settings.issueStaleSeconds,
  });
  opened.defer(watcher.stop);
  const look = (): void => void watcher.look();
  const notifications = createListener({
    connectionString: settings.databaseDirectUrl,
    channel: CHANGES_CHANNEL,
    onNotify: look,
    onConnect: look,
    log,
  });
  opened.defer(notifications.close);
  return watcher;
}
