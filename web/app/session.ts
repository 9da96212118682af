import { Api } from "../client";
import type { PlaceState } from "../client";

const passportKey = "lectern.passport";
const nameKey = "lectern.name";
const placeKey = "lectern.place";
const earlyKey = "lectern.early";

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
