/** How wide an element is at the moment, so that what is drawn in it has letters of a readable size. */
import { type RefObject, useEffect, useState } from "react";

const UNKNOWN_PX = 640;

export function useWidth(element: RefObject<HTMLElement | null>): number {
  const [width, setWidth] = useState(UNKNOWN_PX);
  useEffect(() => {
    if (element.current === null) return;
    const measure = new ResizeObserver(([entry]) => {
      const found = Math.round(entry?.contentRect.width ?? 0);
      if (found > 0) setWidth(found);
    });
    measure.observe(element.current);
    return () => measure.disconnect();
  }, [element]);
  return width;
}
