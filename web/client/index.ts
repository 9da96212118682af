// The browser client of Lectern: a connection that mends itself, a live
// roster, and the HTTP calls. It depends on nothing but the browser.

export { Api } from "./api";
export type { Ban, Me, Opened, Page } from "./api";
export * from "./attendance";
export { Lectern } from "./lectern";
export type { Connection, LecternOptions, LocalEvents, StopReason } from "./lectern";
export * from "./messages";
export { inOrder, Roster } from "./roster";
export type { Change, Counts, RosterState } from "./roster";
export { browser } from "./world";
export type { Wire, World } from "./world";
