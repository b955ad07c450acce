#include "features/recover/backup_verbs.h"

#include <boost/json.hpp>

#include "base/text.h"
#include "features/recover/restore_items.h"
#include "features/recover/verb_fields.h"

namespace mailhold::recover {
namespace {

namespace json = boost::json;

constexpr std::size_t name_bytes_max = 320;  // an address, RFC 5321 section 4.5.3.1
constexpr std::size_t lost_shown_max = 1'000;
constexpr std::size_t differing_shown_max = 1'000;  // restore.items tells all

bool flag_of(const json::object& request, std::string_view name) {
  const json::value* value = request.if_contains(name);
  return value != nullptr && value->is_bool() && value->as_bool();
}

Milliseconds time_of(const json::object& request, std::string_view name) {
  const json::value* value = request.if_contains(name);
  return value != nullptr && value->is_int64() ? value->as_int64() : 0;
}

// By its id, or by its name where that is one's alone.
Result<Id> mailbox_of(Backups& backups, const json::object& request, const Deadline& deadline,
                      std::string_view field = "mailbox") {
  const std::string named = text_of(request, field);
  if (const auto id = Id::parse(named); id && !id->is_none()) return id;
  ASSIGN_OR_RETURN(const auto views, backups.list(deadline));
  Id found;
  for (const Backups::View& view : views) {
    if (view.mailbox.name != named) continue;
    const std::string what = "more than one mailbox has that name: give the id";
    if (!found.is_none()) return Error{ErrorKind::invalid_input, what, what};
    found = view.mailbox.id;
  }
  const std::string what = "no such mailbox; see mailhold mailbox list";
  if (found.is_none()) return Error{ErrorKind::not_found, what, what};
  return found;
}

json::object shown_proof(const ProofRecord& proof) {
  constexpr std::string_view outcomes[] = {"none", "passed", "failed"};
  json::object one{{"outcome", std::string(outcomes[static_cast<std::size_t>(proof.outcome)])}, {"running", !proof.is_over}};
  if (!proof.job.is_none()) one["proof"] = proof.job.text();
  if (!proof.trouble.empty()) one["trouble"] = shown(proof.trouble);
  if (proof.put_off.until != 0) one["put_off_until"] = to_iso8601(proof.put_off.until);
  if (proof.outcome == ProofOutcome::none) return one;
  json::array differences;
  for (const ProofDifference& each : proof.differences)
    differences.push_back(json::object{{"item", each.item.text()}, {"what", each.what}});
  one["proved_at"] = to_iso8601(proof.proved_at);
  one["as_of"] = to_iso8601(proof.as_of);
  one["items"] = proof.items;
  one["bytes"] = proof.bytes;
  one["not_as_they_were"] = std::move(differences);
  return one;
}

// A backup that was not proved to come back needs somebody, however current it is.
std::string reason_of_proof(const ProofRecord& proof) {
  if (proof.outcome != ProofOutcome::failed) return {};
  return "the last proof failed: " + std::to_string(proof.differing) + " of " + std::to_string(proof.items) +
         " items did not come back as they were; see mailhold backup proof";
}

std::string reason_of_loss(const Backups::View& view) {
  if (view.lost == 0) return {};
  return std::to_string(view.lost) + " items that were backed up cannot be read any more: see mailhold backup lost";
}

json::object shown_mailbox(const Backups::View& view) {
  Mailbox mailbox = view.mailbox;
  for (const std::string& reason : {reason_of_proof(view.proof), reason_of_loss(view)}) {
    if (reason.empty()) continue;
    mailbox.state = MailboxState::needs_attention;
    mailbox.reason = reason + (mailbox.reason.empty() ? "" : "; " + mailbox.reason);
  }
  json::object one{{"mailbox", mailbox.id.text()},
                   {"tenant", mailbox.tenant.text()},
                   {"name", shown(mailbox.name)},
                   {"kind", std::string(mailboxes::name_of(mailbox.kind))},
                   {"state", mailbox.paused ? "paused" : std::string(name_of(mailbox.state))},
                   {"items", mailbox.items},
                   {"schedule", text_of(mailbox.schedule)},
                   {"types", text_of(mailbox.types)},
                   {"connection", mailbox.connection.text()},
                   {"restore_connection", mailbox.restore_connection.text()}};
  if (!mailbox.reason.empty()) one["reason"] = shown(mailbox.reason);
  if (mailbox.synced_at != 0) one["synced_at"] = to_iso8601(mailbox.synced_at);
  if (mailbox.tried_at != 0) one["tried_at"] = to_iso8601(mailbox.tried_at);
  if (!view.watch.empty()) one["watch"] = view.watch;
  if (view.next_sync_at) one["next_sync_at"] = to_iso8601(*view.next_sync_at);
  one["proof"] = shown_proof(view.proof);
  if (view.lost > 0) one["lost"] = view.lost;
  if (view.running) {
    one["running"] = json::object{
        {"folders_done", view.running->folders_done}, {"folders", view.running->folders}, {"new", view.running->items_new},
        {"changed", view.running->items_changed},     {"gone", view.running->items_gone}, {"bytes", view.running->bytes}};
    const auto left = time_left(*view.running);
    if (view.running->items_expected > 0) one["running"].as_object()["expected"] = view.running->items_expected;
    std::string progress = std::to_string(view.running->items_new) + " new";
    if (view.running->items_expected > 0) progress += " of " + std::to_string(view.running->items_expected);
    if (left) {
      one["running"].as_object()["seconds_left"] = left->count();
      progress += ", " +
                  (left->count() < 120 ? std::to_string(left->count()) + " s" : std::to_string(left->count() / 60) + " min") +
                  " left";
    }
    one["progress"] = progress;
  }
  return one;
}

json::object shown_item(const ItemRow& item) {
  json::array flags;
  for (const std::string& flag : item.head.flags) flags.emplace_back(shown(flag));
  json::object one{{"item", item.id.text()},
                   {"received_at", to_iso8601(item.head.received_at)},
                   {"bytes", item.bytes},
                   {"flags", std::move(flags)},
                   {"since", to_iso8601(item.since)}};
  if (item.until) one["until"] = to_iso8601(*item.until);
  return one;
}

json::object shown_report(Id job, const RestoreReport& report, std::chrono::seconds patience) {
  json::array differing;
  const std::uint64_t differing_in_all = report.count(Outcome::differs) + report.count(Outcome::failed);
  for (const RestoredItem& item : report.items) {
    if (item.outcome != Outcome::differs && item.outcome != Outcome::failed) continue;
    if (differing.size() == differing_shown_max) break;
    differing.push_back(json::object{{"item", item.item.text()},
                                     {"folder", shown(mailboxes::path_text(item.folder))},
                                     {"id", shown(item.target_id)},
                                     {"outcome", std::string(name_of(item.outcome))},
                                     {"what", shown(item.detail)}});
  }
  json::object one{{"restore", job.text()},
                   {"mailbox", report.request.mailbox.text()},
                   {"operation", report.request.permit},
                   {"as_of", to_iso8601(report.request.as_of)},
                   {"dry_run", report.request.dry_run},
                   {"over", report.is_over},
                   {"exact", report.is_exact()},
                   {"restored", report.count(Outcome::restored)},
                   {"present", report.count(Outcome::present)},
                   {"missing", report.count(Outcome::would)},
                   {"flags_set", report.count(Outcome::flags_set)},
                   {"overwritten", report.count(Outcome::overwritten)},
                   {"equal_in_meaning", report.count_equal_in_meaning()},
                   {"not_as_it_was_in_all", differing_in_all},
                   {"not_as_it_was", std::move(differing)}};
  if (!report.request.into.is_none()) one["into_mailbox"] = report.request.into.text();
  const std::string between = report.failure.empty() || report.not_read_back.empty() ? "" : "; ";
  if (const std::string why = report.failure + between + report.not_read_back; !why.empty()) one["failure"] = shown(why);
  if (!report.not_read_back.empty()) one["not_read_back"] = shown(report.not_read_back);
  if (report.verified_at != 0) one["verified_at"] = to_iso8601(report.verified_at);
  if (report.waiting.until != 0) {
    one["waits_for"] = shown(report.waiting.whom);
    one["waits_until"] = to_iso8601(report.waiting.until);
    one["waits_because"] = shown(report.waiting.why);
    one["gives_up_at"] = to_iso8601(report.waiting.since + std::chrono::milliseconds(patience).count());
  }
  return one;
}

// How a mailbox is to be read from now on, as far as the request says so. invalid_input if it contradicts itself, or if a mailbox
// of this kind cannot be read so.
Status take_schedule(const json::object& request, Mailbox& mailbox) {
  const std::string every = text_of(request, "every"), types = text_of(request, "types");
  const bool continuous = flag_of(request, "continuous"), usual = flag_of(request, "default");
  if ((every.empty() ? 0 : 1) + (continuous ? 1 : 0) + (usual ? 1 : 0) > 1) {
    const std::string what = "a mailbox is read in one way: every, continuous or default";
    return Error{ErrorKind::invalid_input, what, what};
  }
  if (usual) mailbox.schedule = {};
  if (continuous) mailbox.schedule = {Reading::continuous};
  if (!every.empty()) {
    ASSIGN_OR_RETURN(const std::chrono::seconds time, parse_every(every));
    mailbox.schedule = {Reading::every, time};
  }
  if (types.empty()) return done();
  ASSIGN_OR_RETURN(mailbox.types, parse_types(types, mailbox.kind));
  return done();
}

// Of one mailbox, or of all of a tenant that are read at all: nothing is changed where one of them cannot be read so.
Result<json::object> set_schedule(Backups& backups, const json::object& request, const Deadline& deadline) {
  ASSIGN_OR_RETURN(const Id tenant, id_of(request, "tenant", false));
  const auto asks = [&request](const char* name) { return request.contains(name); };
  if (!asks("every") && !asks("continuous") && !asks("default") && !asks("types")) {
    const std::string what = "say how it is to be read: every, continuous, default or types";
    return Error{ErrorKind::invalid_input, what, what};
  }
  if (tenant.is_none() != asks("mailbox")) {
    const std::string what = "name one mailbox, or the tenant of all that are meant";
    return Error{ErrorKind::invalid_input, what, what};
  }
  Id only;
  if (tenant.is_none()) {
    ASSIGN_OR_RETURN(only, mailbox_of(backups, request, deadline));
  }
  ASSIGN_OR_RETURN(const auto views, backups.list(deadline));
  std::vector<Id> meant;
  for (const Backups::View& view : views) {
    Mailbox mailbox = view.mailbox;
    if (tenant.is_none() ? mailbox.id != only : mailbox.tenant != tenant || mailbox.connection.is_none()) continue;
    const std::string what = "it was imported, and is read no more";
    if (mailbox.connection.is_none()) return Error{ErrorKind::denied, what, what};
    RETURN_IF_ERROR(take_schedule(request, mailbox));
    meant.push_back(mailbox.id);
  }
  if (meant.empty()) return Error{ErrorKind::not_found, "no such mailbox", "no such mailbox"};
  for (const Id id : meant)
    RETURN_IF_ERROR(backups.change(id, [&request](Mailbox& row) { (void)take_schedule(request, row); }, deadline));
  return json::object{{"done", true}, {"mailboxes", meant.size()}};
}

Result<json::object> mailbox_verb(Backups& backups, std::string_view verb, const json::object& request,
                                  const Deadline& deadline) {
  if (verb == "mailbox.list") {
    ASSIGN_OR_RETURN(const Id tenant, id_of(request, "tenant", false));
    ASSIGN_OR_RETURN(const auto views, backups.list(deadline));
    json::array list;
    for (const Backups::View& view : views) {
      if (tenant.is_none() || view.mailbox.tenant == tenant) list.push_back(shown_mailbox(view));
    }
    return json::object{{"mailboxes", std::move(list)}};
  }
  if (verb == "mailbox.add") {
    Mailbox mailbox;
    ASSIGN_OR_RETURN(mailbox.tenant, id_of(request, "tenant"));
    ASSIGN_OR_RETURN(mailbox.connection, id_of(request, "connection"));
    ASSIGN_OR_RETURN(mailbox.restore_connection, id_of(request, "restore_connection", false));
    mailbox.name = text_of(request, "name");
    const std::string what = "a mailbox needs a name of at most 320 bytes";
    if (mailbox.name.empty() || mailbox.name.size() > name_bytes_max) return Error{ErrorKind::invalid_input, what, what};
    if (const std::string kind = text_of(request, "kind"); !kind.empty()) {
      const auto known = mailboxes::parse_kind(kind);
      const std::string which = "kind must be imap or dav";
      if (!known) return Error{ErrorKind::invalid_input, which, which};
      mailbox.kind = *known;
    }
    RETURN_IF_ERROR(take_schedule(request, mailbox));
    ASSIGN_OR_RETURN(const Id id, backups.add(std::move(mailbox), deadline));
    return json::object{{"mailbox", id.text()}};
  }
  if (verb == "mailbox.schedule") return set_schedule(backups, request, deadline);
  ASSIGN_OR_RETURN(const Id mailbox, mailbox_of(backups, request, deadline));
  if (verb == "mailbox.pause" || verb == "mailbox.resume") {
    const bool pause = verb == "mailbox.pause";
    RETURN_IF_ERROR(backups.change(mailbox, [pause](Mailbox& row) { row.paused = pause; }, deadline));
    return json::object{{"done", true}};
  }
  return Error{ErrorKind::not_found, "there is no verb " + std::string(verb), "there is no verb " + std::string(verb)};
}

Result<json::object> backup_verb(Backups& backups, BackupBook& book, std::string_view verb, const json::object& request,
                                 const Deadline& deadline) {
  ASSIGN_OR_RETURN(const Id id, mailbox_of(backups, request, deadline));
  if (verb == "backup.run") {
    const bool accepts = flag_of(request, "accept_vanished");
    RETURN_IF_ERROR(backups.sync_soon(id, deadline, accepts ? Backups::Vanished::accepted : Backups::Vanished::doubted));
    return json::object{{"done", true}};
  }
  if (verb == "backup.prove") {
    const json::value* items = request.if_contains("items");
    const std::int64_t count = items != nullptr && items->is_number() ? items->to_number<std::int64_t>() : proof_items_default;
    ASSIGN_OR_RETURN(const Id job, backups.prove(id, static_cast<std::size_t>(std::max<std::int64_t>(count, 0)), deadline));
    return json::object{{"proof", job.text()}};
  }
  ASSIGN_OR_RETURN(const Mailbox mailbox, book.mailbox(id, deadline));
  if (verb == "backup.proof") {
    ASSIGN_OR_RETURN(const auto views, backups.list(deadline));
    for (const Backups::View& view : views) {
      if (view.mailbox.id == id) return shown_proof(view.proof);
    }
  }
  if (verb == "backup.lost") {
    ASSIGN_OR_RETURN(const auto versions, book.lost_versions(mailbox, lost_shown_max, deadline));
    json::array list;
    for (const BackupBook::LostVersion& each : versions) {
      json::object one = shown_item(each.version);
      one["folder"] = shown(mailboxes::path_text(each.folder));
      list.push_back(std::move(one));
    }
    return json::object{{"lost", std::move(list)}, {"more", versions.size() == lost_shown_max}};
  }
  const Milliseconds at = time_of(request, "at") == 0 ? mailbox.synced_at : time_of(request, "at");
  ASSIGN_OR_RETURN(const std::vector<FolderRow> folders, book.folders_as_of(mailbox, at, deadline));
  if (verb == "backup.folders") {
    json::array list;
    for (const FolderRow& folder : folders) {
      ASSIGN_OR_RETURN(const std::uint64_t items, book.count_items(folder.id, at, deadline));
      list.push_back(json::object{{"folder", shown(mailboxes::path_text(folder.folder.path))},
                                  {"items", items},
                                  {"use", std::string(mailboxes::name_of(folder.folder.use))},
                                  {"since", to_iso8601(folder.since)}});
    }
    return json::object{{"folders", std::move(list)}};
  }
  if (verb != "backup.items")
    return Error{ErrorKind::not_found, "there is no verb " + std::string(verb), "there is no verb " + std::string(verb)};
  const mailboxes::FolderPath path = mailboxes::parse_path(text_of(request, "folder"));
  for (const FolderRow& folder : folders) {
    if (folder.folder.path != path) continue;
    ASSIGN_OR_RETURN(const std::vector<ItemRow> items, book.items_as_of(folder, at, deadline));
    json::array list;
    for (const ItemRow& item : items) list.push_back(shown_item(item));
    return json::object{{"items", std::move(list)}};
  }
  return Error{ErrorKind::not_found, "no such folder at that moment", "no such folder at that moment"};
}

// What somebody is about to sign for, with names as ids and the moment as a time: refused where it could not be done. For its own
// place the connection that the mailbox is read over goes along, by which brokerd knows it.
Result<json::object> checked_restore(Backups& backups, const json::object& request, const Deadline& deadline) {
  ASSIGN_OR_RETURN(const Id from, mailbox_of(backups, request, deadline));
  Id into;
  if (request.contains("into_mailbox")) {
    ASSIGN_OR_RETURN(into, mailbox_of(backups, request, deadline, "into_mailbox"));
  }
  ASSIGN_OR_RETURN(const Backups::MailboxPair pair, backups.check_restore(from, into, deadline));
  const Milliseconds at = time_of(request, "at") == 0 ? pair.from.synced_at : time_of(request, "at");
  json::object checked{{"tenant", pair.from.tenant.text()},
                       {"mailbox", pair.from.id.text()},
                       {"connection", pair.into.restore_connection.text()},
                       {"at", to_iso8601(at)}};
  if (!into.is_none()) checked["into"] = into.text();
  if (into.is_none() && !pair.from.connection.is_none()) checked["reading"] = pair.from.connection.text();
  return checked;
}

Result<json::object> restore_verb(Backups& backups, const Backups::FindItems& find, std::string_view verb,
                                  const json::object& request, const Deadline& deadline) {
  if (verb == "restore.check") return checked_restore(backups, request, deadline);
  if (verb == "restore.carry-out") {
    ASSIGN_OR_RETURN(const Id job, backups.restore(text_of(request, "operation"), flag_of(request, "dry_run"), find, deadline));
    return json::object{{"restore", job.text()}};
  }
  ASSIGN_OR_RETURN(const Id job, id_of(request, "restore"));
  if (verb == "restore.verify") {
    RETURN_IF_ERROR(backups.verify(job, deadline));
    return json::object{{"restore", job.text()}};
  }
  if (verb != "restore.show" && verb != "restore.items")
    return Error{ErrorKind::not_found, "there is no verb " + std::string(verb), "there is no verb " + std::string(verb)};
  ASSIGN_OR_RETURN(const RestoreReport report, backups.restore_report(job, deadline));
  return verb == "restore.items" ? shown_items(request, report)
                                 : Result<json::object>(shown_report(job, report, backups.patience()));
}

}  // namespace

Result<std::string> BackupVerbs::answer(std::string_view text, const Deadline& deadline) {
  boost::system::error_code problem;
  const json::value parsed = json::parse(json::string_view(text.data(), text.size()), problem);
  if (problem || !parsed.is_object()) return Error{ErrorKind::invalid_input, "not a JSON object", "not a JSON object"};
  const json::object& request = parsed.as_object();
  const std::string verb = text_of(request, "verb");
  Result<json::object> reply = verb.starts_with("mailbox.")  ? mailbox_verb(backups_, verb, request, deadline)
                               : verb.starts_with("backup.") ? backup_verb(backups_, book_, verb, request, deadline)
                               : verb.starts_with("restore.")
                                   ? restore_verb(backups_, find_, verb, request, deadline)
                                   : Result<json::object>(Error{ErrorKind::not_found, "there is no verb " + verb});
  if (!reply) return reply.error();
  return json::serialize(*reply);
}

}  // namespace mailhold::recover
