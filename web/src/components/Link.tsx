/** A link between the desk's pages that does not load the page anew. */
import type { ReactNode } from "react";
import { goTo } from "../lib/place";

interface Props {
  to: string;
  className?: string;
  /** The link leads to where the page is. */
  current?: boolean;
  children: ReactNode;
}

export function Link({ to, className, current = false, children }: Props) {
  return (
    <a
      href={to}
      className={className}
      aria-current={current ? "page" : undefined}
      onClick={(event) => {
        // A new tab or window is the browser's business.
        if (event.metaKey || event.ctrlKey || event.shiftKey || event.button !== 0) return;
        event.preventDefault();
        goTo(to);
      }}
    >
      {children}
    </a>
  );
}
