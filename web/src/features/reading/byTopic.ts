/** Articles by their topic, in the order in which the topics first come up. */
import type { Article } from "../../api/types";

export function byTopic(articles: readonly Article[]): [topic: string, articles: Article[]][] {
  const topics = new Map<string, Article[]>();
  for (const article of articles) topics.set(article.topic, [...(topics.get(article.topic) ?? []), article]);
  return [...topics];
}
