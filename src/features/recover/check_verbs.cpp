#include "features/recover/check_verbs.h"

#include <boost/json.hpp>

#include "features/recover/verb_fields.h"

namespace mailhold::recover {
namespace {

namespace json = boost::json;

// By its id, or by its name where that is one's alone. None where the request names none.
Result<Id> mailbox_of(BackupBook& book, const json::object& request, Id tenant, const Deadline& deadline) {
  const std::string named = text_of(request, "mailbox");
  if (named.empty()) return Id();
  ASSIGN_OR_RETURN(const std::vector<BackupBook::MailboxToCheck> mailboxes, book.mailboxes_to_check(deadline));
  Id found;
  for (const BackupBook::MailboxToCheck& mailbox : mailboxes) {
    const bool has_name = mailbox.row && mailbox.row->name == named;
    if (!has_name && mailbox.id.text() != named) continue;
    if (!tenant.is_none() && mailbox.tenant != tenant) continue;
    const std::string what = "more than one mailbox has that name: give the id";
    if (!found.is_none()) return Error{ErrorKind::invalid_input, what, what};
    found = mailbox.id;
  }
  const std::string what = "no such mailbox; see mailhold mailbox list";
  if (found.is_none()) return Error{ErrorKind::not_found, what, what};
  return found;
}

json::object shown_finding(const CheckFinding& finding) {
  json::object one{{"finding", std::string(name_of(finding.verdict))}, {"what", finding.what}};
  if (!finding.mailbox.is_none()) one["mailbox"] = finding.mailbox.text();
  if (!finding.item.is_none()) one["item"] = finding.item.text();
  if (!finding.folder.empty()) one["folder"] = shown(mailboxes::path_text(finding.folder));
  if (finding.received_at != 0) one["received_at"] = to_iso8601(finding.received_at);
  return one;
}

json::object shown_report(const CheckReport& report) {
  json::array findings;
  for (const CheckFinding& each : report.findings) findings.push_back(shown_finding(each));
  json::object one{{"over", report.is_over},
                   {"clean", report.is_clean()},
                   {"versions", report.versions},
                   {"versions_expected", report.versions_expected},
                   {"contents", report.contents},
                   {"bytes", report.bytes},
                   {"damaged", report.damaged},
                   {"not_judged", report.unjudged},
                   {"rows_that_do_not_open", report.rows},
                   {"without_keys", report.without_keys},
                   {"readable_again", report.readable_again},
                   {"findings", std::move(findings)},
                   {"more", report.findings.size() == check_findings_max}};
  if (report.places_set) one["places_set"] = *report.places_set;
  if (!report.failure.empty()) one["failure"] = shown(report.failure);
  return one;
}

}  // namespace

bool CheckVerbs::knows(std::string_view verb) { return verb == "backup.check" || verb == "backup.check-report"; }

Result<std::string> CheckVerbs::answer(std::string_view text, const Deadline& deadline) {
  boost::system::error_code problem;
  const json::value parsed = json::parse(json::string_view(text.data(), text.size()), problem);
  if (problem || !parsed.is_object()) return Error{ErrorKind::invalid_input, "not a JSON object", "not a JSON object"};
  const json::object& request = parsed.as_object();
  if (text_of(request, "verb") == "backup.check-report") {
    ASSIGN_OR_RETURN(const Id job, id_of(request, "check"));
    ASSIGN_OR_RETURN(const CheckReport report, checks_.report(job));
    return json::serialize(shown_report(report));
  }
  CheckRequest wanted;
  ASSIGN_OR_RETURN(wanted.tenant, id_of(request, "tenant", false));
  ASSIGN_OR_RETURN(wanted.mailbox, mailbox_of(book_, request, wanted.tenant, deadline));
  const json::value* sets_places = request.if_contains("set_places");
  wanted.sets_places = sets_places != nullptr && sets_places->is_bool() && sets_places->as_bool();
  ASSIGN_OR_RETURN(const Id job, checks_.begin(wanted));
  return json::serialize(json::object{{"check", job.text()}});
}

}  // namespace mailhold::recover
