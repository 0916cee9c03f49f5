/** A moment as a control for date and time takes it: in the browser's zone, without one. */
export function localInput(at: string): string {
  const date = new Date(at);
  const local = new Date(date.getTime() - date.getTimezoneOffset() * 60_000);
  return local.toISOString().slice(0, 19);
}
