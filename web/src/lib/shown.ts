/** A hook that says whether the page is in front of somebody's eyes, not in a hidden tab. */
import { useSyncExternalStore } from "react";

export function useShown(): boolean {
  return useSyncExternalStore(follow, isShown);
}

function follow(changed: () => void): () => void {
  document.addEventListener("visibilitychange", changed);
  return () => document.removeEventListener("visibilitychange", changed);
}

function isShown(): boolean {
  return document.visibilityState === "visible";
}
