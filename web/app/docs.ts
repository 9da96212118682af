// The reader of the HTTP API. Swagger UI is a script of its own, before this one.

declare const SwaggerUIBundle: (options: object) => unknown;

const dark = matchMedia("(prefers-color-scheme: dark)");
const follow = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", follow);
follow();

SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#reader",
  deepLinking: true,
  defaultModelsExpandDepth: 0,
  validatorUrl: null,
});

export {};
