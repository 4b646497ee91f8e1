import type { EventStore, JSONRPCMessage } from "@modelcontextprotocol/server";

interface StoredEvent {
  readonly id: string;
  readonly stream: string;
  readonly message: JSONRPCMessage;
}

/** Events kept per session; a client that was away for more of them has to start over. */
const KEPT_EVENTS = 256;

/**
 * The last events of one 2025 session, so that a client whose stream broke can resume it with `Last-Event-ID`
 * (MCP 2025-11-25, transports, "Resumability and Redelivery").
 */
export function createEventMemory(): EventStore {
  const events: StoredEvent[] = [];
  let count = 0;
  return {
    async storeEvent(stream, message) {
      count += 1;
      const id = String(count);
      events.push({ id, stream, message });
      if (events.length > KEPT_EVENTS) events.shift();
      return id;
    },
    async getStreamIdForEventId(id) {
      return events.find((event) => event.id === id)?.stream;
    },
    async replayEventsAfter(lastId, { send }) {
      const from = events.findIndex((event) => event.id === lastId);
      const last = events[from];
      if (last === undefined) throw new Error("The last event id is unknown here, or too old");
      for (const event of events.slice(from + 1)) {
        if (event.stream === last.stream) await send(event.id, event.message);
      }
      return last.stream;
    },
  };
}
