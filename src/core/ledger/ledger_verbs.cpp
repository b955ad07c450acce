// What ledgerd shows and takes over the API as JSON.
#include <algorithm>
#include <boost/json.hpp>

#include "base/text.h"
#include "core/evidence/verifier.h"
#include "core/ledger/ledger_service.h"

namespace mailhold::ledger {
namespace {

namespace json = boost::json;

constexpr std::uint64_t shown_entries_max = 500;
constexpr std::chrono::seconds bundle_wait{15};

std::string_view name_of(WitnessState state) {
  switch (state) {
    case WitnessState::waiting: return "waiting";
    case WitnessState::cosigned: return "cosigned";
    case WitnessState::away: return "away";
    case WitnessState::refuses: return "refuses";
    case WitnessState::contradicts: return "contradicts";
    case WitnessState::knows_more: return "knows_more";
  }
  return "";
}

json::object object_of(const Witnesses& witnesses) {
  json::array list;
  for (const WitnessStatus& one : witnesses.status()) {
    list.push_back({{"name", one.name},
                    {"state", name_of(one.state)},
                    {"size", one.size},
                    {"at", one.seconds == 0 ? "" : to_iso8601(static_cast<Milliseconds>(one.seconds) * 1000)},
                    {"detail", one.detail}});
  }
  const std::size_t cosigned = witnesses.cosigners().size();
  return {{"needed", witnesses.policy().needed},
          {"cosigned", cosigned},
          {"satisfied", cosigned >= witnesses.policy().needed},
          {"list", std::move(list)}};
}

json::object object_of(const Log& log, const Witnesses& witnesses) {
  const LogStatus status = log.status();
  return {{"open", status.open},
          {"failure", status.failure},
          {"size", status.size},
          {"published", status.published_size},
          {"tenants", status.tenants},
          {"last_at", status.last_at == 0 ? "" : to_iso8601(status.last_at)},
          {"batches", status.batches},
          {"cut_bytes", status.cut_bytes},
          {"snapshot_size", status.snapshot_size},
          {"key", log.key().text()},
          {"checkpoint", log.checkpoint()},
          {"witnesses", object_of(witnesses)}};
}

Result<json::object> object_of(const StoredEntry& stored) {
  ASSIGN_OR_RETURN(const Event event, parse_event(stored.bytes));
  json::object object{{"index", stored.index},
                      {"at", to_iso8601(event.at)},
                      {"seq", event.seq},
                      {"leaf", to_hex(tlog::hash_leaf(stored.bytes).bytes())},
                      {"entry", to_base64url(stored.bytes)}};
  if (!event.connection.is_none()) {
    object["connection"] = event.connection.text();
    object["connection_seq"] = event.connection_seq;
  }
  return object;
}

std::uint64_t number_in(const json::object& request, std::string_view name, std::uint64_t otherwise) {
  const json::value* found = request.if_contains(name);
  if (found == nullptr) return otherwise;
  boost::system::error_code failure;
  const auto number = found->to_number<std::uint64_t>(failure);
  return failure ? otherwise : number;
}

Result<Id> tenant_in(const json::object& request) {
  const json::value* named = request.if_contains("tenant");
  if (named == nullptr || !named->is_string()) return Error{ErrorKind::invalid_input, "the request needs tenant"};
  return Id::parse(std::string_view(named->get_string()));
}

Result<std::string> show(const Log& log, const json::object& request) {
  ASSIGN_OR_RETURN(const Id tenant, tenant_in(request));
  const std::uint64_t from = std::max<std::uint64_t>(number_in(request, "from", 1), 1);
  const std::uint64_t limit = std::clamp<std::uint64_t>(number_in(request, "limit", 100), 1, shown_entries_max);
  ASSIGN_OR_RETURN(const auto entries, log.entries_of(tenant, from, limit));
  json::array list;
  for (const StoredEntry& entry : entries) {
    ASSIGN_OR_RETURN(json::object object, object_of(entry));
    list.push_back(std::move(object));
  }
  json::object answer{{"entries", std::move(list)}};
  if (entries.size() == limit) answer["next"] = from + limit;
  return json::serialize(answer);
}

// The first piece waits a while for the witnesses, so that what a tenant is given can stand on its own.
Result<std::string> bundle(Log& log, const Witnesses& witnesses, const json::object& request) {
  BundleQuestion question;
  ASSIGN_OR_RETURN(question.tenant, tenant_in(request));
  question.from = number_in(request, "from", 1);
  question.old_size = number_in(request, "since", 0);
  question.size = number_in(request, "size", 0);
  question.last = number_in(request, "last", 0);
  bool satisfied = true;
  if (question.size == 0) {
    RETURN_IF_ERROR(log.write_heads(Deadline::after(std::chrono::seconds(30))));
    satisfied = witnesses.wait_until_cosigned(Deadline::after(bundle_wait));
  }
  ASSIGN_OR_RETURN(const BundlePiece piece, log.bundle(question));
  json::object answer{{"bytes", to_base64url(piece.bytes)}, {"size", piece.size}, {"last", piece.last}, {"satisfied", satisfied}};
  if (piece.next != 0) answer["next"] = piece.next;
  return json::serialize(answer);
}

Result<std::string> verify(Log& log, const Witnesses& witnesses) {
  RETURN_IF_ERROR(log.write_heads(Deadline::after(std::chrono::seconds(30))));
  const Verdict verdict = verify_log(log.settings().folder, log.key(), Journal::left_out);
  json::object answer{{"sound", verdict.sound},     {"fault", verdict.fault}, {"size", verdict.size},
                      {"tenants", verdict.tenants}, {"heads", verdict.heads}, {"witnesses", object_of(witnesses)}};
  if (verdict.first_wrong) answer["first_wrong"] = *verdict.first_wrong;
  return json::serialize(answer);
}

}  // namespace

Result<std::string> LedgerService::api(std::string_view body) {
  boost::system::error_code failure;
  json::parse_options options;
  options.max_depth = 4;
  const json::value parsed = json::parse({body.data(), body.size()}, failure, {}, options);
  const json::object* request = failure ? nullptr : parsed.if_object();
  const json::value* verb = request == nullptr ? nullptr : request->if_contains("verb");
  if (verb == nullptr || !verb->is_string()) return Error{ErrorKind::invalid_input, "the request is no JSON object with a verb"};
  Log* const log = this->log();
  if (log == nullptr) return Error{ErrorKind::unavailable, "ledger: waiting for its signing key; the region may be sealed"};
  const Witnesses& witnesses = *this->witnesses();
  if (verb->get_string() == "ledger.status") return json::serialize(object_of(*log, witnesses));
  if (verb->get_string() == "ledger.show") return show(*log, *request);
  if (verb->get_string() == "ledger.verify") return verify(*log, witnesses);
  if (verb->get_string() == "ledger.bundle") return bundle(*log, witnesses, *request);
  if (verb->get_string() == "ledger.reopen") {
    RETURN_IF_ERROR(log->reopen());
    return json::serialize(object_of(*log, witnesses));
  }
  return Error{ErrorKind::not_found, "there is no verb " + std::string(verb->get_string())};
}

}  // namespace mailhold::ledger
