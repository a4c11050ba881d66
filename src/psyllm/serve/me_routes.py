"""What belongs to the visitor as a whole: a copy of everything, and erasure."""

from __future__ import annotations

from fastapi import APIRouter, Response

from psyllm.casebook import ratings, runs, talk
from psyllm.casebook.erase import erase_visitor
from psyllm.core.language import Language
from psyllm.serve import schema, shape
from psyllm.serve.language import AskedIn
from psyllm.serve.sessions import VISITOR_COOKIE, MaybeVisitor, PartsDep, Visitor, take_cookie

router = APIRouter(prefix="/api", tags=["me"])
# A copy must say what a program wrote, wherever it ends up.
EXPORT_LABELS = {
    Language.ZH: "author 为 model 的内容由人工智能生成；author 为 library 的内容是预先写好的一般性说明。均非诊断，也不是心理治疗。",
    Language.EN: "Text whose author is model was written by artificial intelligence; text whose author is library "
    "was written beforehand for everybody. Neither is a diagnosis or a treatment.",
}


@router.get("/me/export")
async def export(parts: PartsDep, visitor: Visitor, language: AskedIn, response: Response) -> schema.Export:
    """Download everything kept about this visitor."""
    listed = await talk.list_conversations(parts.book, visitor, most=None)
    whole = [await talk.read_conversation(parts.book, visitor, row.id) for row in listed]
    consents = await ratings.list_consents(parts.book, visitor)
    response.headers["Content-Disposition"] = 'attachment; filename="psyllm-export.json"'
    return schema.Export(
        exported_at=parts.book.now(),
        label=EXPORT_LABELS[language],
        conversations=[shape.conversation(row) for row in whole],
        consents=[shape.consent(row) for row in consents],
    )


@router.delete("/me", status_code=204)
async def erase(parts: PartsDep, visitor: MaybeVisitor, response: Response) -> None:
    """Erase everything kept about this visitor and clear the cookie."""
    if visitor is not None:
        running = await runs.running_of(parts.book, visitor)
        await erase_visitor(parts.book, visitor)
        await parts.runner.stopped(running)
    take_cookie(response, parts, VISITOR_COOKIE)
    response.headers["Clear-Site-Data"] = '"cache", "storage"'
