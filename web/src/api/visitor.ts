/** What a visitor's page asks of the server, one function for each door. */
import { ask, request, send } from "./request";
import type {
  Article,
  Conversation,
  ConversationSummary,
  PersonAsked,
  Rating,
  RatingIn,
  RunInfo,
  Status,
  Turn,
} from "./types";

export function readStatus(signal?: AbortSignal): Promise<Status> {
  return ask("GET", "/status", { signal });
}

export function listArticles(signal?: AbortSignal): Promise<Article[]> {
  return ask("GET", "/articles", { signal });
}

export function listConversations(signal?: AbortSignal): Promise<ConversationSummary[]> {
  return ask("GET", "/conversations", { signal });
}

export function startConversation(title: string, details: string, requestKey: string): Promise<Turn> {
  return ask("POST", "/conversations", { body: { title, details, request_key: requestKey } });
}

export function sayMore(conversationId: string, text: string, requestKey: string): Promise<Turn> {
  return ask("POST", `/conversations/${conversationId}/messages`, {
    body: { text, request_key: requestKey },
  });
}

/** A conversation and the tag under which the server knows this state of it. */
export interface Tagged {
  conversation: Conversation;
  tag: string;
}

/** Return the conversation, or null when it is still as `tag` says. */
export function readConversation(
  conversationId: string,
  tag = "",
  signal?: AbortSignal,
): Promise<Tagged | null> {
  const headers: Record<string, string> = tag === "" ? {} : { "If-None-Match": tag };
  return request(
    "GET",
    `/conversations/${conversationId}`,
    async (response) => {
      if (response.status === 304) return null;
      const conversation = (await response.json()) as Conversation;
      return { conversation, tag: response.headers.get("ETag") ?? "" };
    },
    { headers, signal },
  );
}

export function askAnotherView(conversationId: string, requestKey: string): Promise<RunInfo> {
  const body = { kind: "another_view", request_key: requestKey };
  return ask("POST", `/conversations/${conversationId}/runs`, { body });
}

export function askForPerson(conversationId: string): Promise<PersonAsked> {
  return ask("POST", `/conversations/${conversationId}/person`);
}

export function stopRun(runId: string): Promise<void> {
  return send("POST", `/runs/${runId}/stop`);
}

export function rate(messageId: string, rating: RatingIn): Promise<Rating> {
  return ask("POST", `/messages/${messageId}/rating`, { body: rating });
}

/** Return all of the visitor's data as a file. */
export function exportData(): Promise<Blob> {
  return request("GET", "/me/export", (response) => response.blob());
}

export function eraseData(): Promise<void> {
  return send("DELETE", "/me");
}
