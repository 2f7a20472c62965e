"""FHIR R4: Bundles and Bulk-Data NDJSON (Patient, Encounter, Observation, DocumentReference) to raw rows.

Element names are those of HL7 FHIR R4 (4.0.1). Resources of other types are counted and passed over. The text
of a DocumentReference is its first attachment of a text type, decoded from base64; a document whose text is not
in the resource itself is a fault, so that nobody takes it for an empty note.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

from riskflow.notes.ingest.records import Collector, RawChunk, chunked
from riskflow.notes.ingest.walk import each_element, each_line

_ENTRIES = re.compile(rb'"entry"\s*:\s*\[')
_BEGINS = re.compile(rb'\{\s*"(?:fullUrl|resource)"\s*:')
Row = dict[str, Any]


class Misshapen(Exception):
    """A resource whose part has another shape than FHIR says; the message names the part."""


def read_bundle(handle: BinaryIO, source: str) -> Iterator[RawChunk]:
    """Yield the rows of a Bundle; faults are numbered by entry."""
    collector = Collector(source)
    return chunked(collector, each_element(handle, collector, "entry", _add_entry, _BEGINS, _ENTRIES))


def read_ndjson(handle: BinaryIO, source: str) -> Iterator[RawChunk]:
    """Yield the rows of a Bulk-Data file, one resource per line; faults are numbered by line."""
    collector = Collector(source)
    return chunked(collector, each_line(handle, collector, add_resource))


def _add_entry(collector: Collector, entry: Any, where: str) -> None:
    add_resource(collector, at(entry, "resource") if isinstance(entry, dict) else None, where)


def add_resource(collector: Collector, resource: Any, where: str) -> None:
    """Add the row of one resource, or its fault."""
    kind = resource.get("resourceType") if isinstance(resource, dict) else None
    if not isinstance(kind, str):
        collector.fault("not_a_resource", f"{where} is not a FHIR resource")
        return
    if kind not in _ROWS:
        return
    table, make = _ROWS[kind]
    try:
        collector.add(table, make(resource))
    except Misshapen as error:
        collector.row_fault(table, "wrong_type", f"{where} ({kind}): {error}")


def at(value: Any, *path: str | int) -> Any:
    """Return the part of a resource at a path, or None where it is absent; a wrong shape raises Misshapen."""
    for step in path:
        if value is None:
            return None
        if isinstance(value, list) and isinstance(step, int):
            value = value[step] if step < len(value) else None
        elif isinstance(value, dict) and isinstance(step, str):
            value = value.get(step)
        else:
            raise Misshapen(f"part {'.'.join(map(str, path))} has another shape than FHIR R4 says")
    return value


def items(value: Any, *path: str | int) -> list[Any]:
    """Return the list at a path, empty where it is absent."""
    found = at(value, *path)
    if found is None:
        return []
    if not isinstance(found, list):
        raise Misshapen(f"part {'.'.join(map(str, path))} is not a list")
    return found


def _concept(value: Any, *path: str | int) -> Any:
    """Words of a CodeableConcept: its text, else the display or code of its first coding."""
    concept = at(value, *path)
    return at(concept, "text") or at(concept, "coding", 0, "display") or at(concept, "coding", 0, "code")


def _code(value: Any, *path: str | int) -> Any:
    """Code of a CodeableConcept, else its text."""
    concept = at(value, *path)
    return at(concept, "coding", 0, "code") or at(concept, "text")


def reference_id(reference: Any) -> Any:
    """Return the id in a reference: Patient/12, urn:uuid:…, or an absolute address."""
    if not isinstance(reference, str):
        return reference
    return reference.removeprefix("urn:uuid:").rpartition("/")[2].partition("|")[0] or None


def _telecom(resource: Any, system: str) -> Any:
    return next((at(t, "value") for t in items(resource, "telecom") if at(t, "system") == system), None)


def _patient(resource: Row) -> Row:
    name = next(
        (n for n in items(resource, "name") if at(n, "use") in ("official", "usual")), at(resource, "name", 0)
    )
    contact_name = at(resource, "contact", 0, "name")
    parts = [*items(contact_name, "given"), at(contact_name, "family")]
    died = at(resource, "deceasedDateTime")
    return {
        "patient_id": at(resource, "id"),
        "identifiers": [v for i in items(resource, "identifier") if (v := at(i, "value")) is not None],
        "family_name": at(name, "family"),
        "given_names": at(name, "given"),
        "name_prefix": at(name, "prefix"),
        "name_suffix": at(name, "suffix"),
        "date_of_birth": at(resource, "birthDate"),
        "gender": at(resource, "gender"),
        "deceased": True if died is not None else at(resource, "deceasedBoolean"),
        "deceased_date": died,
        "marital_status": _concept(resource, "maritalStatus"),
        "address_lines": at(resource, "address", 0, "line"),
        "city": at(resource, "address", 0, "city"),
        "state": at(resource, "address", 0, "state"),
        "postal_code": at(resource, "address", 0, "postalCode"),
        "country": at(resource, "address", 0, "country"),
        "phone": _telecom(resource, "phone"),
        "email": _telecom(resource, "email"),
        "fax": _telecom(resource, "fax"),
        "contact_name": at(contact_name, "text") or " ".join(p for p in parts if isinstance(p, str)) or None,
        "contact_relationship": _concept(resource, "contact", 0, "relationship", 0),
        "contact_phone": at(resource, "contact", 0, "telecom", 0, "value"),
        "language": _concept(resource, "communication", 0, "language"),
        "managing_organization": at(resource, "managingOrganization", "display")
        or reference_id(at(resource, "managingOrganization", "reference")),
    }


def _encounter(resource: Row) -> Row:
    codes = [_code(d) for d in items(resource, "reasonCode")[1:]]
    diagnoses = [reference_id(at(d, "condition", "reference")) for d in items(resource, "diagnosis")]
    return {
        "encounter_id": at(resource, "id"),
        "patient_id": reference_id(at(resource, "subject", "reference")),
        "status": at(resource, "status"),
        "class_code": at(resource, "class", "code"),
        "type": _concept(resource, "type", 0),
        "service_type": _concept(resource, "serviceType"),
        "priority": _concept(resource, "priority"),
        "period_start": at(resource, "period", "start"),
        "period_end": at(resource, "period", "end"),
        "length_minutes": _minutes(at(resource, "length")),
        "reason_code": _concept(resource, "reasonCode", 0),
        "diagnosis_codes": [code for code in (*codes, *diagnoses) if code is not None],
        "facility_name": at(resource, "location", 0, "location", "display"),
        "participant_name": at(resource, "participant", 0, "individual", "display"),
        "participant_role": _concept(resource, "participant", 0, "type", 0),
        "service_provider": at(resource, "serviceProvider", "display")
        or reference_id(at(resource, "serviceProvider", "reference")),
    }


def _minutes(duration: Any) -> int | None:
    """Minutes of a Duration in UCUM units; None where it is absent or of another unit."""
    value, unit = at(duration, "value"), at(duration, "code") or at(duration, "unit")
    per_minute = {"s": 1 / 60, "min": 1, "h": 60, "d": 1440, "minutes": 1, "hours": 60}.get(unit or "")
    return round(value * per_minute) if per_minute and isinstance(value, int | float) else None


def _observation(resource: Row) -> Row:
    notes = [text for n in items(resource, "note") if (text := at(n, "text")) is not None]
    return {
        "observation_id": at(resource, "id"),
        "patient_id": reference_id(at(resource, "subject", "reference")),
        "encounter_id": reference_id(at(resource, "encounter", "reference")),
        "status": at(resource, "status"),
        "category": _code(resource, "category", 0),
        "code": _code(resource, "code"),
        "effective_date": at(resource, "effectiveDateTime") or at(resource, "effectivePeriod", "start"),
        "issued": at(resource, "issued"),
        "performer_name": at(resource, "performer", 0, "display"),
        "value": _value(resource),
        "unit": at(resource, "valueQuantity", "unit") or at(resource, "valueQuantity", "code"),
        "interpretation": _code(resource, "interpretation", 0),
        "body_site": _concept(resource, "bodySite"),
        "method": _concept(resource, "method"),
        "device": at(resource, "device", "display") or reference_id(at(resource, "device", "reference")),
        "reference_range": _range(at(resource, "referenceRange", 0)),
        "notes": _joined(notes),
    }


def _value(resource: Row) -> Any:
    for name in ("valueString", "valueInteger", "valueDateTime", "valueTime"):
        if resource.get(name) is not None:
            return resource[name]
    if isinstance(resource.get("valueBoolean"), bool):
        return str(resource["valueBoolean"]).lower()
    return _first(at(resource, "valueQuantity", "value"), _concept(resource, "valueCodeableConcept"))


def _first(*values: Any) -> Any:
    return next((value for value in values if value is not None), None)


def _range(reference: Any) -> Any:
    low, high = at(reference, "low", "value"), at(reference, "high", "value")
    if at(reference, "text") is not None or (low is None and high is None):
        return at(reference, "text")
    return f"{'' if low is None else low}-{'' if high is None else high}"


def _document(resource: Row) -> Row:
    return {
        "observation_id": at(resource, "id"),
        "patient_id": reference_id(at(resource, "subject", "reference")),
        "encounter_id": reference_id(at(resource, "context", "encounter", 0, "reference")),
        "status": at(resource, "status"),
        "category": "document",
        "code": _code(resource, "type"),
        "effective_date": at(resource, "date"),
        "performer_name": at(resource, "author", 0, "display"),
        "notes": _attached_text(resource),
    }


def _attached_text(resource: Row) -> str:
    attachments = [at(content, "attachment") for content in items(resource, "content")]
    for attachment in attachments:
        kind, data = at(attachment, "contentType") or "text/plain", at(attachment, "data")
        if isinstance(kind, str) and kind.startswith("text/") and isinstance(data, str):
            return _decoded(data)
    raise Misshapen("the document has no text in it (an attachment of type text/* with data)")


def _decoded(data: str) -> str:
    try:
        return base64.b64decode("".join(data.split()), validate=True).decode("utf-8")
    except UnicodeDecodeError:
        raise Misshapen("the attachment is not valid UTF-8") from None
    except (binascii.Error, ValueError):
        raise Misshapen("the attachment is not valid base64") from None


def _joined(texts: list[Any]) -> Any:
    if any(not isinstance(text, str) for text in texts):
        raise Misshapen("part note.text is not a text")
    return "\n".join(texts) or None


_ROWS: dict[str, tuple[str, Callable[[Row], Row]]] = {
    "Patient": ("patients", _patient),
    "Encounter": ("encounters", _encounter),
    "Observation": ("observations", _observation),
    "DocumentReference": ("observations", _document),
}
