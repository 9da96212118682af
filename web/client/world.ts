/** As much of a WebSocket as the client uses. */
export interface Wire {
  onmessage: ((event: any) => void) | null;
  onclose: ((event: any) => void) | null;
  send(text: string): void;
  close(): void;
}

/** Everything outside the client that it touches, so that a test can stand in for it. */
export interface World {
  dial(url: string, protocols: string[]): Wire;
  fetch(path: string, init: RequestInit): Promise<Response>;
  /** Milliseconds since 1970. */
  now(): number;
  /** A number in [0, 1). */
  random(): number;
  /** Calls fn once after ms; the answer cancels that. */
  after(ms: number, fn: () => void): () => void;
  online(): boolean;
  /** Calls fn whenever the network or the page came back; the answer stops that. */
  onWake(fn: () => void): () => void;
  /** Calls fn when the page is left, whether or not it may come back; the answer stops that. */
  onHide(fn: () => void): () => void;
}

/** The longest delay a timer can hold; a longer one would fire at once. */
const longestTimer = 2 ** 31 - 1;

/** The browser itself. */
export const browser: World = {
  dial: (url, protocols) => new WebSocket(url, protocols),
  fetch: (path, init) => fetch(path, init),
  now: () => Date.now(),
  random: () => Math.random(),
  after: (ms, fn) => {
    const timer = setTimeout(fn, Math.min(ms, longestTimer));
    return () => clearTimeout(timer);
  },
  online: () => navigator.onLine,
  onWake: (fn) => {
    const shown = () => {
      if (document.visibilityState === "visible") fn();
    };
    addEventListener("online", fn);
    addEventListener("offline", fn);
    addEventListener("pageshow", shown);
    document.addEventListener("visibilitychange", shown);
    return () => {
      removeEventListener("online", fn);
      removeEventListener("offline", fn);
      removeEventListener("pageshow", shown);
      document.removeEventListener("visibilitychange", shown);
    };
  },
  onHide: (fn) => {
    addEventListener("pagehide", fn);
    return () => removeEventListener("pagehide", fn);
  },
};
