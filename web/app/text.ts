import type { en } from "./text.en";

export type Language = "en" | "ko";

/** What to say where something did not work: what it is, and what to do next. */
export interface Advice {
  title: string;
  next: string;
}

/** A name as part of a sentence: which way its script runs is its own affair. */
export const isolated = (name: string) => `\u2068${name}\u2069`;

/** Every word of the pages; each language has all of them. */
export type Text = typeof en;

/** A reader loads one language. */
export async function loadText(language: Language): Promise<Text> {
  return language === "ko" ? (await import("./text.ko")).ko : (await import("./text.en")).en;
}
