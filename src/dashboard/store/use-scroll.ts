import type { RefObject } from "preact";
import { useLayoutEffect, useState } from "preact/hooks";

interface Scroll {
  readonly scrollTop: number;
  readonly setScrollTop: (scrollTop: number) => void;
  /** The height of the element on screen. */
  readonly height: number;
}

/** Scroll position and height, in pixels, of an element that scrolls. Its scroll events set the position. */
export function useScroll(element: RefObject<HTMLElement | null>): Scroll {
  const [scrollTop, setScrollTop] = useState(0);
  const [height, setHeight] = useState(600);
  useLayoutEffect(() => {
    const measure = () => setHeight(element.current!.clientHeight);
    const resize = new ResizeObserver(measure);
    resize.observe(element.current!);
    measure();
    return () => resize.disconnect();
  }, [element]);
  return { scrollTop, setScrollTop, height };
}
