/** One message with who wrote it, when, and what kind of answer it is; used by chat and desk. */
import type { ReactNode } from "react";
import type { Message, SourceNote } from "../api/types";
import { type PlainKey, t } from "../lib/messages/t";
import { timeOf } from "../lib/time";
import { Prose } from "./Prose";
import "./message.css";

type Author = Message["author"];

// Of the matches from here on nearly nine in ten are on topic or partly; below it "near" would say too much.
const NEAR_MATCH = 0.5;

const AUTHORS: Record<Author, PlainKey> = {
  visitor: "author.visitor",
  library: "author.library",
  model: "author.model",
  counsellor: "author.counsellor",
  notice: "author.notice",
};

/** Answers are Chinese whatever the page is in, notices keep their language: a screen reader must know. */
function languageOf(author: Author, text: string): string | undefined {
  if (author === "library" || author === "model") return "zh-CN";
  if (author === "notice") return /\p{Script=Han}/u.test(text) ? "zh-CN" : "en";
  return undefined;
}

interface Props {
  author: Author;
  text: string;
  createdAt?: string;
  source?: SourceNote | null;
  /** Seen from the desk: the visitor is not "you". */
  desk?: boolean;
  children?: ReactNode;
}

export function MessageCard({ author, text, createdAt, source = null, desk = false, children }: Props) {
  const Heading = desk ? "h3" : "h2";
  const name = desk && author === "visitor" ? "author.visitorDesk" : AUTHORS[author];
  return (
    <article className={`message message-${author}`}>
      <header className="message-top">
        <Heading className="message-author">{t(name)}</Heading>
        {createdAt && (
          <time className="message-time" dateTime={createdAt}>
            {timeOf(createdAt)}
          </time>
        )}
      </header>
      {author === "library" && source?.title && <p className="message-found">{foundText(source)}</p>}
      <Prose text={text} lang={languageOf(author, text)} />
      {sourceText(author, source) && <p className="message-source">{sourceText(author, source)}</p>}
      {children}
    </article>
  );
}

function foundText({ title, match }: SourceNote): string {
  return t(match !== null && match < NEAR_MATCH ? "source.foundFar" : "source.found", { title });
}

function sourceText(author: Author, source: SourceNote | null): string {
  if (author === "model") return t("source.generated");
  if (author !== "library" || source === null) return "";
  if (source.reviewed_by !== "") return t("source.reviewed", { name: source.reviewed_by });
  return t(source.written_for_this_project ? "source.unreviewed" : "source.collected");
}
