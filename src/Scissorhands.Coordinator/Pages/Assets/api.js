// The coordinator's interface, with the reader's key where one is needed. The key is kept for this tab alone, and gone with it.

const slot = "scissorhands.key";

/** Whether calls need a key. */
export const needsKey = document.querySelector("meta[name=access]").content !== "open";

export const key = {
  get: () => sessionStorage.getItem(slot),
  set: value => sessionStorage.setItem(slot, value),
  clear: () => sessionStorage.removeItem(slot),
};

/** What went wrong with a call. A status of 0 is no answer at all. */
export class CallError extends Error {
  constructor(status, message, retryAfter = null) {
    super(message);
    this.status = status;
    this.retryAfter = retryAfter;
  }

  /** Whether the same call may succeed later. */
  get passes() {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

/** Calls the interface; the answer has a status of success. */
export async function call(path, { signal, headers = {}, as = key.get() } = {}) {
  let response;
  try {
    response = await fetch(path, { signal, headers: as ? { ...headers, Authorization: `Bearer ${as}` } : headers, cache: "no-store" });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new CallError(0, "The coordinator does not answer.");
  }
  if (response.ok) return response;
  let message = "";
  try {
    message = (await response.json()).error ?? "";
  } catch {
    // Something in between has answered; the status has to do.
  }
  throw new CallError(response.status, message || `The coordinator answered with status ${response.status}.`, Number(response.headers.get("Retry-After")) || null);
}

export const get = async (path, options) => (await call(path, options)).json();

/** An answer, or why there is none that would pass. */
export async function settle(promise) {
  try {
    return { value: await promise };
  } catch (error) {
    if (error instanceof CallError && !error.passes && error.status !== 401) return { error };
    throw error;
  }
}

/** Gives the reader a file of the interface to keep. */
export async function download(path, name) {
  const blob = await (await call(path)).blob();
  const address = URL.createObjectURL(blob);
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

/**
 * Reads server-sent events, connecting anew where the connection is lost, from the last event that came. An EventSource would
 * do the same, but sends no key.
 * @param {string} path The stream.
 * @param {(kind: string, value: any) => boolean} on Takes an event; true ends the reading.
 * @param {(error: CallError | null) => void} health Told when the connection is lost, and with null when it is back.
 * @param {AbortSignal} signal Ends the reading.
 */
export async function follow(path, on, health, signal) {
  let last = null;
  let wait = 500;
  while (!signal.aborted) {
    try {
      const response = await call(path, { signal, headers: last === null ? {} : { "Last-Event-ID": last } });
      health(null);
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      for (let buffer = ""; ;) {
        const { value, done } = await reader.read();
        if (done) break;
        wait = 500;
        buffer += value.replaceAll("\r\n", "\n");
        for (let end = buffer.indexOf("\n\n"); end >= 0; end = buffer.indexOf("\n\n")) {
          const event = parse(buffer.slice(0, end));
          buffer = buffer.slice(end + 2);
          last = event.id ?? last;
          if (event.data !== "" && on(event.kind, JSON.parse(event.data))) {
            reader.cancel().catch(() => {});
            return;
          }
        }
      }
    } catch (error) {
      if (signal.aborted) return;
      const failure = error instanceof CallError ? error : new CallError(0, "The connection was lost.");
      if (!failure.passes) throw failure;
      health(failure);
      wait = failure.retryAfter ? failure.retryAfter * 1000 : wait;
    }
    // Up to a half more, so that all pages do not come back at once.
    await pause(wait * (1 + Math.random() / 2), signal);
    wait = Math.min(wait * 2, 15_000);
  }
}

function parse(block) {
  const event = { kind: "message", id: null, data: "" };
  for (const line of block.split("\n")) {
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "event") event.kind = value;
    else if (field === "id") event.id = value;
    else if (field === "data") event.data += (event.data ? "\n" : "") + value;
  }
  return event;
}

/** Waits; ends at once where the signal says so. */
export const pause = (milliseconds, signal) => new Promise(resolve => {
  // A listener that stayed would keep a page that is left open growing.
  const done = () => {
    clearTimeout(timer);
    signal?.removeEventListener("abort", done);
    resolve();
  };
  const timer = setTimeout(done, milliseconds);
  signal?.addEventListener("abort", done, { once: true });
});
