/** What this tab remembers until it is closed: which conversation is open. Works without storage, too. */
const KEY = "psyllm.conversation";

export function rememberConversation(conversationId: string): void {
  try {
    sessionStorage.setItem(KEY, conversationId);
  } catch {
    // Storage may be switched off; then a reload starts at the list.
  }
}

export function rememberedConversation(): string | null {
  try {
    return sessionStorage.getItem(KEY);
  } catch {
    return null;
  }
}

export function forgetConversation(): void {
  try {
    sessionStorage.removeItem(KEY);
  } catch {
    // Nothing was stored, so nothing is left.
  }
}
