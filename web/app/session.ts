import { Api } from "../client";
import type { Me, PlaceState } from "../client";

const passportKey = "lectern.passport";
const nameKey = "lectern.name";
const placeKey = "lectern.place";
const earlyKey = "lectern.early";
const renewedKey = "lectern.renewed";

/** Takes a passport out of the address, before anything could send it anywhere; answers whether there was one. */
export function takePassport(): boolean {
  const found = /^#passport=([\w.-]+)$/.exec(location.hash);
  if (!found) return false;
  sessionStorage.setItem(passportKey, found[1]!);
  history.replaceState(history.state, "", location.pathname + location.search);
  return true;
}

export const passport = () => sessionStorage.getItem(passportKey);
export const forgetPassport = () => sessionStorage.removeItem(passportKey);
export const api = () => new Api(passport());

/** How far the server's clock is ahead of this machine's, in milliseconds. */
let ahead = 0;

/** Asks the server who is signed in, and what time it is. */
export async function askWho(): Promise<Me> {
  const asked = Date.now();
  const me = await api().me();
  ahead = Date.parse(me.now) - (asked + Date.now()) / 2; // it was asked for and answered in between
  return me;
}

/** The server's clock, in milliseconds since 1970. */
export const serverNow = () => Date.now() + ahead;

const renewAgainAfter = 60_000;

/**
 * Loads the page anew, since a part of it did not come: after a deploy those of
 * an older page are gone. Answers false where it did so a moment ago, where
 * the server does not answer, and where the part is not wanted any more by then.
 */
export async function renewPage(wanted = () => true): Promise<boolean> {
  if (Date.now() - Number(sessionStorage.getItem(renewedKey)) < renewAgainAfter) return false;
  const answers = await fetch("/", { method: "HEAD", cache: "no-store" }).then(({ ok }) => ok, () => false);
  if (!answers || !wanted()) return false;
  sessionStorage.setItem(renewedKey, String(Date.now()));
  location.reload();
  return true;
}

export const lastName = () => localStorage.getItem(nameKey) ?? "";
export const keepName = (name: string) => localStorage.setItem(nameKey, name);

/** The last place of this tab, for when the page is loaded anew: those in the line do not see the code. */
export interface KeptPlace {
  room: string;
  code: string | null;
  /** Null: it was given up, or taken. */
  place: PlaceState | null;
}

export const keepPlace = (place: KeptPlace) => sessionStorage.setItem(placeKey, JSON.stringify(place));

export function keptPlace(room: string): KeptPlace | null {
  const kept = JSON.parse(sessionStorage.getItem(placeKey) ?? "null") as KeptPlace | null;
  return kept?.room === room ? kept : null;
}

/** The code of a room that this tab waits for; null: of none. */
export const waitFor = (code: string | null) => sessionStorage.setItem(earlyKey, code ?? "");
export const waitsFor = (code: string) => sessionStorage.getItem(earlyKey) === code;

function told(name: string): string {
  return document.querySelector<HTMLMetaElement>(`meta[name="lectern-${name}"]`)?.content ?? "";
}

export const guestsAllowed = () => told("guests") === "true";

/** The address that the QR code shows. */
export const joinLink = (code: string) => (told("public-url") || location.origin).replace(/\/$/, "") + "/j/" + code;

/** 128 random bits; randomUUID is only to be had under https. */
export function randomKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Join codes are Crockford base 32: no I, L, O and U. A pasted join link is its code. */
export function cleanCode(typed: string): string {
  const link = /\/j\/([^/?#]+)/.exec(typed);
  return (link ? link[1]! : typed)
    .toUpperCase()
    .replace(/O/g, "0")
    .replace(/[IL]/g, "1")
    .replace(/[^0-9A-HJKMNP-TV-Z]/g, "")
    .slice(0, 8);
}

/** XXXX-XXXX, as codes are read out. */
export function showCode(code: string): string {
  return code.length > 4 ? code.slice(0, 4) + "-" + code.slice(4) : code;
}
