/**
 * Every sentence of the visitor's page in English, for whoever reads Chinese slowly at two in the morning.
 *
 * The keys and slots are those of the Chinese table. Answers stay Chinese, and the page says so.
 */
import type { visitorZh } from "./visitor.zh.ts";

export const visitorEn: Record<keyof typeof visitorZh, string> = {
  "app.title": "Q&A",
  "app.name": "Mental health Q&A",
  "app.notice": "Automatic answers come from a program (AI). It is not a doctor and not a counsellor.",
  "app.trial": "Trial only, not open to real visitors",
  "app.trialHelp": "When you are struggling, open “Get help”.",
  "app.skip": "Skip to the main part",
  "app.opening": "Opening…",
  "app.noscript":
    "If it stays like this, please switch on JavaScript in your browser. You can still call the numbers below.",
  "app.brokenTitle": "Something on this page broke",
  "app.broken":
    "You did nothing wrong. What you sent is kept; what you had not sent may have to be written again. If it is urgent, call a number below first, then open the page again.",
  "app.reopen": "Open again",

  "language.other": "中文",
  "language.otherLabel": "切换到中文",
  "language.answers":
    "You can write in English or Chinese. The answers you find here are in Chinese; help numbers and safety messages are in English.",

  "hide.button": "Leave",
  "hide.label": "Leave this page at once (or press Esc twice)",

  "help.button": "Get help",
  "help.title": "Numbers you can call now",
  "help.danger":
    "If you are hurt or in danger right now, first call 120 (ambulance) or 110 (police). Outside mainland China, call the local emergency number. Also ask somebody near you whom you trust to come.",
  "help.first": "Please look here first: {title}. {danger}",
  "help.safer":
    "Before you call, you can go to where other people are, away from anything that could hurt you.",
  "help.busy":
    "Lines are often busy, and in mainland China they may answer in Chinese. That is not your fault. Try another number, or ask somebody to speak for you. If it is urgent, call 120 or 110.",
  "help.other": "More numbers",
  "help.checked":
    "These numbers were found on public pages on {date}. Nobody has called them yet to make sure.",
  "help.checkedSome":
    "These numbers were found on public pages on {date}. Somebody has called {count} of the {all} to make sure.",
  "help.close": "Close the numbers",
  "help.quiet": "When it hurts, you can also call 12356 and talk to somebody.",
  "help.open": "See numbers",
  "region.CN": "Mainland China",
  "region.CN-BJ": "Beijing",
  "region.HK": "Hong Kong",
  "region.MO": "Macau",
  "region.TW": "Taiwan",
  "region.US": "United States",
  "region.other": "Elsewhere",

  "ask.heading": "Write down what is on your mind",
  "ask.lead": "No name needed. Write a few words, and the program looks for an answer close to them.",
  "ask.title": "In one sentence, what is it about?",
  "ask.titleHint": "For example: I haven't been able to sleep",
  "ask.details": "Say a little more, if you like",
  "ask.detailsHint": "When it began, what happened, how you feel now",
  "ask.send": "Send it",
  "ask.sending": "Sending…",
  "ask.missing": "Write one sentence first, then send it.",
  "ask.tooLong": "This is a bit long: {now} characters, and {most} fit. You can send it in parts.",
  "ask.earlier": "What you said before",
  "ask.unread": "new reply",

  "before.heading": "Before you send it",
  "before.whoTitle": "Who can see it",
  "before.who":
    "Usually only you. A counsellor can see it when you ask to talk to a person, or when your words sound as if you may be in danger. Whoever looks after the server has a way to read it, too.",
  "before.storedTitle": "What is kept",
  "before.stored":
    "Your words, the answers you see and your ratings are kept on the server. Your browser keeps a random number, so that the page knows you again.",
  "before.deleteTitle": "How to delete it",
  "before.delete": "Open “My data” at any time. You can take a copy, or delete everything.",
  "presence.present": "A counsellor is here now.",
  "presence.absent":
    "Nobody is reading right now. Only the program answers. If it is urgent, please call a number under “Get help”.",
  "presence.unknown":
    "There is no connection right now, so your words can't be sent yet. You can still call the numbers on this page.",

  "chat.new": "Talk about something else",
  "chat.log": "Conversation",
  "chat.headingPrefix": "Conversation: ",
  "chat.compose": "Go on",
  "chat.composeHint": "Write whatever comes to mind",
  "chat.send": "Send",
  "chat.stop": "Stop",
  "chat.stopping": "Stopping…",
  "chat.another": "Show me another view",
  "chat.anotherNote": "The program writes this one now, in Chinese. It may be wrong.",
  "chat.anotherFound": "This looks for another answer close to yours, in Chinese.",
  "chat.person": "I want to talk to a person",
  "chat.personPresent":
    "This conversation is on the counsellors' list, and a counsellor is here now. If somebody takes it up, this page will tell you. If it is urgent, don't wait; call a number under “Get help”.",
  "chat.personAbsent":
    "This conversation is on the counsellors' list, but nobody is reading right now. If it is urgent, please call a number here first.",
  "chat.takenAway":
    "The counsellor who took this over is away now, and can see your words only after coming back. If it is urgent, please call a number here first.",
  "chat.taken": "A counsellor has taken over. From now on a person replies. The program no longer answers.",
  "chat.closed":
    "The counsellor has closed this case. To talk to a person again, choose “I want to talk to a person”.",
  "chat.queued": "There are others ahead of you. Please wait…",
  "chat.searching": "Looking for something close to what you said…",
  "chat.writing": "Writing. You see each sentence as it is ready…",
  "chat.again": "The connection broke. Connecting again…",
  "chat.stopped": "Stopped.",
  "chat.replaced":
    "What was being written was not right, so it was taken back. The text above takes its place.",
  "chat.replacedLate": "What was being written could not be finished. The text above takes its place.",
  "chat.ended":
    "No answer came this time. That was us, not you. Your words are kept, and you can send them again; if it is urgent, call a number under “Get help”.",
  "chat.unseen": "See what is new",
  "chat.loading": "Opening the conversation…",

  "author.visitor": "You",
  "author.visitorDesk": "Visitor",
  "author.library": "An answer found for you",
  "author.model": "An answer by the program",
  "author.counsellor": "Counsellor",
  "author.notice": "Note",
  "source.found": "Close to what you said: “{title}”",
  "source.foundFar": "Nothing very close was found. The nearest is: “{title}”",
  "source.unreviewed":
    "Written beforehand, in Chinese; no professional has reviewed it yet. Found by similar words. This is not counselling.",
  "source.reviewed":
    "Written beforehand, in Chinese, and reviewed by {name}. Found by similar words. This is not counselling.",
  "source.collected":
    "From collected material, in Chinese; no professional has reviewed it yet. Found by similar words. This is not counselling.",
  "source.generated":
    "Written by a program (AI), in Chinese. Nobody has read it, and it may be wrong. This is not counselling.",

  "rating.open": "Rate this answer",
  "rating.change": "Change your rating",
  "rating.thanks": "Thank you, your rating is in.",
  "rating.heading": "How was this answer?",
  "rating.helpfulness": "Did it help you?",
  "rating.fluency": "Does it read well?",
  "rating.relevance": "Is it about what you said?",
  "rating.logic": "Does it hang together?",
  "rating.scale": "1 is the lowest, 5 the highest",
  "rating.score": "{score}",
  "rating.comment": "Anything else you want to say (you can leave it empty)",
  "rating.consent":
    "I agree that this conversation up to this answer, and my rating, may be used to train the program.",
  "rating.consentNote":
    "You can rate without ticking this. Before anything is used, a program hides phone and ID numbers, e-mail and WeChat names; the rest stays as it is. You can change your mind later, or delete everything: the next training leaves it out. What a program has learnt already can't be taken back.",
  "rating.send": "Send the rating",
  "rating.cancel": "Not now",
  "rating.missing": "One is still open: {axis}",

  "reading.instead": "It is all right if you can't find the words just now.",
  "reading.button": "Read something first",
  "reading.title": "Short texts",
  "reading.lead":
    "Choose one to read. They are in Chinese. Only you know which one you read; the server does not.",
  "reading.loading": "Opening the texts…",
  "reading.back": "Back to the list",
  "reading.close": "Close the texts",
  "reading.unreviewed":
    "Written beforehand, in Chinese; no professional has reviewed it yet. It is not counselling and can't take a doctor's place.",
  "reading.reviewed":
    "Written beforehand, in Chinese, and reviewed by {name}. It is not counselling and can't take a doctor's place.",

  "rights.button": "My data",
  "rights.title": "My data",
  "rights.lead": "This covers only what you wrote in this browser.",
  "rights.exportTitle": "Take a copy",
  "rights.exportText":
    "You get one file with your words, the answers you saw and your ratings. On this device, others may be able to open it.",
  "rights.export": "Download my data",
  "rights.exported": "The file was handed to your browser. It is usually under Downloads.",
  "rights.deleteTitle": "Delete everything",
  "rights.deleteText":
    "This deletes all of your conversations and ratings here, for good. Counsellors can't see them any more, either. If you are waiting for a reply, none can come. What you allowed for training is left out from the next training on.",
  "rights.delete": "Delete my data",
  "rights.confirm": "Do you want to delete everything?",
  "rights.confirmYes": "Yes, delete everything",
  "rights.confirmNo": "No, keep it",
  "rights.deleting": "Deleting…",
  "rights.deleted": "Everything is deleted.",
  "rights.exportFailed":
    "The file could not be fetched. Everything is still kept. Try again in a little while.",
  "rights.deleteFailed":
    "We can't tell yet whether it was deleted. Try again in a little while; trying again does no harm.",
  "rights.nothing": "Nothing was written in this browser yet, so there is nothing to take along.",
  "rights.close": "Close my data",

  "problem.offline":
    "No connection right now. Your words are still here. Try again when the network is better.",
  "problem.slow": "There was no reply for a long time. Your words are still here, and you can try again.",
  "problem.server":
    "Something went wrong on our side, not yours. Your words are still here. Try again in a little while.",
  "problem.busy": "There were many tries in a short time. Wait ten minutes, then try again.",
  "problem.tooLong":
    "This is a bit long to send at once. Your words are still here. You can send them in parts.",
  "problem.input": "This could not be taken in. What you wrote is still here. Look it over, then try again.",
  "problem.gone":
    "Nothing was found. It may have been deleted, or nothing was written yet. Copy any words you have not sent, then start again.",
  "problem.state":
    "This can't be done now: the conversation has just changed. Look at what is new, then decide.",
  "problem.stale": "The conversation has just changed. Look at what is new, then try again.",
  "problem.forbidden": "That did not work. Copy your words, open the page again, then try once more.",
  "problem.login": "Please sign in again.",
  "problem.retry": "Try again",
  "problem.phones": "If it is urgent, call first: ",

  "punctuation.colon": ": ",
  "time.minutes": "{count} min",
  "time.hours": "{hours} h {minutes} min",
  "time.days": "{count} days",
  "time.notWaiting": "not waiting",
  "time.underMinute": "under a minute",
};
