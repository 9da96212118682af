import { generate } from "lean-qr/nano";
import { useMemo } from "preact/hooks";

/** Blank modules around the code; the standard asks for four. */
const quiet = 4;

/** A QR code as one path, sharp at any size. */
export function QrCode({ text, label }: { text: string; label: string }) {
  const { path, size } = useMemo(() => draw(text), [text]);
  return (
    <svg class="qr" viewBox={`${-quiet} ${-quiet} ${size + 2 * quiet} ${size + 2 * quiet}`} role="img" aria-label={label} data-text={text} shape-rendering="crispEdges">
      <path d={path} />
    </svg>
  );
}

function draw(text: string): { path: string; size: number } {
  const code = generate(text);
  let path = "";
  for (let y = 0; y < code.size; y++) {
    for (let x = 0; x < code.size; x++) {
      if (code.get(x, y)) path += `M${x} ${y}h1v1h-1z`;
    }
  }
  return { path, size: code.size };
}
