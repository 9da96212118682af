import { Api } from "../client";

const passportKey = "lectern.passport";
const nameKey = "lectern.name";

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
