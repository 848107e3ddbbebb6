import json
import pytest
from tests.world import *
from tests.world import World
PCP = {"system": "https://mos.esante.gouv.fr/NOS/TRE_R259-HL7ParticipationFunction/FHIR/TRE-R259-HL7ParticipationFunction", "code": "PCP"}
UNKNOWN = "3f2a9a0e-54a5-4d8e-9b59-0f7a1d5c6b7e"

def p(tag, a, n=400):
    print(f"\n## {tag}: {a.status_code} {a.get_data(as_text=True)[:n]}")

def test_foreign_system_declares(world):
    a = world.send("other-ehr", "POST", "/Consent", world.consent("martin", role=PCP))
    p("S2 other-ehr declares physician of camille", a)

def test_foreign_system_relatedperson(world):
    a = world.send("other-ehr", "POST", "/RelatedPerson", {"resourceType":"RelatedPerson","patient":{"reference":f"Patient/{world.ids['camille']}"}})
    p("related", a)

def test_existence(world):
    world.patient("zora", "284039999900999")
    for body_patient in ({"reference": f"Patient/{UNKNOWN}"}, {"reference": f"Patient/{world.ids['zora']}"}, {"identifier":{"system":INS,"value":"284039999900999"}}, {"identifier":{"system":INS,"value":"999"}}):
        c = world.consent("martin"); c["patient"]=body_patient
        p("consent for "+str(body_patient), world.send("camille","POST","/Consent",c))
    for pat in ("zora",):
        b = world.bundle(world.filing(patient=pat))
        p("iti65 zora by camille", world.send("camille","POST","",b))
    world.ids["ghost"]=UNKNOWN
    p("iti65 ghost by camille", world.send("camille","POST","",world.bundle(world.filing(patient="ghost"))))
    p("iti105 zora by camille", world.send("camille","POST","/DocumentReference",world.simplified(patient="zora")))
    p("iti105 ghost by camille", world.send("camille","POST","/DocumentReference",world.simplified(patient="ghost")))

def test_ids_order(world):
    world.patient("zora", "284039999900999")
    v = world.publish(); 
    for _ in range(12):
        f = world.publish(patient="zora")
        if f < v: break
    u = "0"*8+UNKNOWN[8:]
    p("foreign,own", world.get("camille", f"/DocumentReference?_id={f},{v}&_summary=count"))
    p("unknown,own", world.get("camille", f"/DocumentReference?_id={u},{v}&_summary=count"))
    world.agree("camille","martin")
    p("martin foreign,own", world.get("martin", f"/DocumentReference?_id={f},{v}&_summary=count"))
    p("martin unknown,own", world.get("martin", f"/DocumentReference?_id={u},{v}&_summary=count"))

def test_patch_blocked_depositor(world):
    world.agree("camille","nour")
    d = world.publish("nour")
    p("before", world.get("nour", f"/DocumentReference/{d}"),100)
    world.agree("camille","nour","deny")
    p("get", world.get("nour", f"/DocumentReference/{d}"),100)
    p("patch []", world.send("nour","PATCH",f"/DocumentReference/{d}",[],JSON_PATCH),3000)
    p("patch wrong ifmatch", world.send("nour","PATCH",f"/DocumentReference/{d}",[],JSON_PATCH, If_Match='W/"9"'),300)
    p("delete wrong ifmatch", world.send("nour","DELETE",f"/DocumentReference/{d}",None, If_Match='W/"9"'),300)
    p("patch unknown", world.send("nour","PATCH",f"/DocumentReference/{UNKNOWN}",[],JSON_PATCH),300)

def test_consent_patch_pruned(world):
    d = world.publish(); e = world.publish()
    c = world.consent("martin")
    c["provision"]["data"]=[{"meaning":"instance","reference":{"reference":f"DocumentReference/{d}"}}]
    a = world.send("camille","POST","/Consent",c); p("made", a)
    cid = a.get_json()["id"]
    print("martin sees", world.found("martin", f"/DocumentReference?patient={world.ids['camille']}"), d, e)
    p("delete", world.send("chu-ehr","DELETE",f"/DocumentReference/{d}"))
    a = world.get("camille", f"/Consent/{cid}"); print(a.get_json()["provision"])
    p("patch", world.send("camille","PATCH",f"/Consent/{cid}",[{"op":"replace","path":"/dateTime","value":"2026-03-02T09:00:00+00:00"}],JSON_PATCH),1500)
    print("martin sees", world.get("martin", f"/DocumentReference?patient={world.ids['camille']}").get_data(as_text=True)[:600])

def test_folder_dangling(world):
    f = world.filing()
    b = world.bundle(f)
    print(json.dumps(b)[:6000])

def test_counts(world):
    p("count huge", world.get("camille", "/DocumentReference?_count="+"9"*5000))
    p("count uni", world.get("camille", "/DocumentReference?_count=٣"))
    ids = ",".join("a%d"%i for i in range(40000))
    a = world.web.post("/fhir/DocumentReference/_search", data={"_id": ids}, headers={"Authorization": f"Bearer {world.tokens['camille']}"})
    p("ids", a)
    ids = ",".join("a%d"%i for i in range(40000))
    a = world.web.post("/fhir/DocumentReference/_search", data={"type": ids, "patient": world.ids["camille"]}, headers={"Authorization": f"Bearer {world.tokens['camille']}"})
    p("types", a)
    a = world.web.post("/fhir/DocumentReference/_search", data={"patient": "x"*100000}, headers={"Authorization": f"Bearer {world.tokens['camille']}"})
    p("patient long", a)
    a = world.web.post("/fhir/DocumentReference/_search", data={"date": "ge9999-12-31T23:59:59-23:59", "patient": world.ids["camille"]}, headers={"Authorization": f"Bearer {world.tokens['camille']}"})
    p("date", a)
    for d in ("0000","9999","0001-01-01T00:00:00+14:00","9999-12-31T23:59:60Z","-1","2026-02-30", "ap9999-12-31"):
        p("date "+d, world.get("camille", f"/DocumentReference?date={d}&patient={world.ids['camille']}"),120)
        p("lu "+d, world.get("camille", f"/DocumentReference?_lastUpdated={d}&patient={world.ids['camille']}"),120)

def test_batch_delete_conditional(world):
    f = world.filing(); d = world.publish_all("chu-ehr", f)[0]
    e = {"request":{"method":"DELETE","url":f"DocumentReference?identifier=urn:ietf:rfc:3986|urn:oid:{f.unique_id}"}}
    p("batch cond delete", world.send("chu-ehr","POST","",{"resourceType":"Bundle","type":"batch","entry":[e]}))
    p("tx cond delete", world.send("chu-ehr","POST","",{"resourceType":"Bundle","type":"transaction","entry":[e]}))

def test_scope_trace(world):
    world.software("few", "system/Patient.r", "chu")
    d = world.publish()
    before = len(world.get("camille", "/AuditEvent?_count=200").get_json().get("entry",[]))
    with world.runtime.ports.store.snapshot() as s:
        pass
    import sqlite3
    from pathlib import Path
    def n():
        db = next(Path(world.web.application.config["DATA_DIR"]).rglob("habilis.sqlite3")) if "DATA_DIR" in world.web.application.config else None
        return db
    p("few read", world.get("few", f"/DocumentReference/{d}"))
    p("few search", world.get("few", f"/DocumentReference?patient={world.ids['camille']}"))
    after = len(world.get("camille", "/AuditEvent?_count=200").get_json().get("entry",[]))
    print(before, after)

def test_sealed_trace(world):
    d = world.publish("chu-ehr")
    before = world.get("camille", "/AuditEvent?_count=200").get_json()["total"]
    b = world.simplified(); b["securityLabel"] = b.get("securityLabel",[]) + [{"coding":[{"system":TRE_A07,"code":"INVISIBLE_PATIENT"}]}]
    a = world.send("chu-ehr","POST","/DocumentReference", b); p("sealed", a)
    for e in world.get("camille", "/AuditEvent?_count=200").get_json()["entry"][:2]:
        print(json.dumps(e["resource"])[:1800])
