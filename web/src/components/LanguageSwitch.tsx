/** Puts the page into the other language; says so in that language. What is typed stays. */
import { chooseLanguage, language } from "../lib/language";
import { t } from "../lib/messages/t";
import { Button } from "./Button";

export function LanguageSwitch() {
  const other = language() === "zh" ? "en" : "zh";
  return (
    <Button
      tone="plain"
      lang={other === "zh" ? "zh-CN" : "en"}
      aria-label={t("language.otherLabel")}
      onClick={() => chooseLanguage(other)}
    >
      {t("language.other")}
    </Button>
  );
}
