/** Labels as people type them: `env=prod, team=web`. */

const LABEL = /^([a-z0-9][a-z0-9._-]*)=(\S+)$/i;

/** The labels, or `null` when the text is none of them. An empty text is no label. */
export function parseLabels(text: string): { [name: string]: string } | null {
  const labels: { [name: string]: string } = {};
  for (const part of text.split(",").map((each) => each.trim())) {
    if (part === "") continue;
    const match = LABEL.exec(part);
    if (!match?.[1] || !match[2]) return null;
    labels[match[1]] = match[2];
  }
  return labels;
}
