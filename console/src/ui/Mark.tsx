/** The product's mark: a wheel of eight spokes. */
export function Mark({ size = 20 }: { size?: number }) {
  return (
    <svg width={size} height={size} viewBox="0 0 24 24" fill="none" stroke="currentColor" strokeWidth="1.75" aria-hidden="true">
      <circle cx="12" cy="12" r="9.5" />
      <path d="M12 2.5v19M2.5 12h19M5.3 5.3l13.4 13.4M18.7 5.3 5.3 18.7" strokeWidth="1.1" />
      <circle cx="12" cy="12" r="2.6" fill="currentColor" />
    </svg>
  );
}
