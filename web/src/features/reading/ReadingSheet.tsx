/** Articles for whoever would rather read than write; which one is read, the server does not learn. */
import { useCallback, useEffect, useRef, useState } from "react";
import { asFailure, type Failure } from "../../api/failure";
import type { Article } from "../../api/types";
import { listArticles } from "../../api/visitor";
import { Button } from "../../components/Button";
import { FailureNote } from "../../components/FailureNote";
import { Prose } from "../../components/Prose";
import { Sheet } from "../../components/Sheet";
import { t } from "../../lib/messages/t";
import { byTopic } from "./byTopic";
import "./reading.css";

export function ReadingSheet({ onClose }: { onClose: () => void }) {
  const [articles, setArticles] = useState<readonly Article[] | null>(null);
  const [failure, setFailure] = useState<Failure | null>(null);
  const [open, setOpen] = useState<Article | null>(null);
  const [last, setLast] = useState<string | null>(null);

  const load = useCallback(async (signal?: AbortSignal): Promise<void> => {
    setFailure(null);
    try {
      setArticles(await listArticles(signal));
    } catch (thrown) {
      if (!signal?.aborted) setFailure(asFailure(thrown));
    }
  }, []);

  useEffect(() => {
    const reading = new AbortController();
    void load(reading.signal);
    return () => reading.abort();
  }, [load]);

  return (
    <Sheet title={t("reading.title")} closeLabel={t("reading.close")} onClose={onClose}>
      {failure && <FailureNote failure={failure} onRetry={() => void load()} />}
      {articles === null && !failure && <p role="status">{t("reading.loading")}</p>}
      {open && (
        <Whole
          article={open}
          onBack={() => {
            setLast(open.title);
            setOpen(null);
          }}
        />
      )}
      {articles && !open && <Contents articles={articles} last={last} onOpen={setOpen} />}
    </Sheet>
  );
}

function Contents({
  articles,
  last,
  onOpen,
}: {
  articles: readonly Article[];
  /** The article just left: its line gets the focus back. */
  last: string | null;
  onOpen: (article: Article) => void;
}) {
  const left = useRef<HTMLButtonElement>(null);
  useEffect(() => left.current?.focus(), []);
  return (
    <>
      <p>{t("reading.lead")}</p>
      {byTopic(articles).map(([topic, those]) => (
        <section key={topic} className="reading-topic" lang="zh-CN">
          <h2>{topic}</h2>
          <ul>
            {those.map((article) => (
              <li key={article.title}>
                <Button
                  tone="plain"
                  ref={article.title === last ? left : undefined}
                  onClick={() => onOpen(article)}
                >
                  {article.title}
                </Button>
              </li>
            ))}
          </ul>
        </section>
      ))}
    </>
  );
}

function Whole({ article, onBack }: { article: Article; onBack: () => void }) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    heading.current?.scrollIntoView?.({ block: "nearest" });
    heading.current?.focus();
  }, []);
  const name = article.reviewed_by;
  return (
    <>
      <div>
        <Button tone="plain" onClick={onBack}>
          {t("reading.back")}
        </Button>
      </div>
      <article className="reading-whole">
        <h2 ref={heading} tabIndex={-1} lang="zh-CN">
          {article.title}
        </h2>
        <Prose text={article.text} lang="zh-CN" />
        <p className="message-source">
          {name === "" ? t("reading.unreviewed") : t("reading.reviewed", { name })}
        </p>
      </article>
      <div>
        <Button onClick={onBack}>{t("reading.back")}</Button>
      </div>
    </>
  );
}
