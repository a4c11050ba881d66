/** A visitor's marks for one answer: a button, then a small form, then thanks. */
import { useEffect, useRef, useState } from "react";
import type { Message, Rating as Stored } from "../../api/types";
import { Button } from "../../components/Button";
import { t } from "../../lib/messages/t";
import { RatingForm } from "./RatingForm";
import "./rating.css";

export function Rating({ message }: { message: Message }) {
  const [stored, setStored] = useState<Stored | null>(message.rating);
  const [open, setOpen] = useState(false);
  const opener = useRef<HTMLButtonElement>(null);
  const wasOpen = useRef(false);

  useEffect(() => {
    if (wasOpen.current && !open) opener.current?.focus();
    wasOpen.current = open;
  }, [open]);

  if (open) {
    return (
      <RatingForm
        messageId={message.id}
        before={stored}
        onCancel={() => setOpen(false)}
        onStored={(rating) => {
          setStored(rating);
          setOpen(false);
        }}
      />
    );
  }
  return (
    <div className="rating-closed">
      <p role="status">{stored ? t("rating.thanks") : ""}</p>
      <Button ref={opener} tone="plain" onClick={() => setOpen(true)}>
        {t(stored ? "rating.change" : "rating.open")}
      </Button>
    </div>
  );
}
