// What brokerd, authd and gatewayd out say to each other, and the route that a signed operation describes.
#include <cstdint>
#include <cstdlib>

#include "core/broker/broker_messages.h"
#include "core/broker/broker_verbs.h"
#include "fuzz_seeds.h"

using namespace mailhold;

namespace {

access::Operation route_operation() {
  const Id id = Id::from_bytes("tenant--tenant--");
  return {"route.set",
          id,
          {{"kind", "smtp-auth"},
           {"host", "mx.example"},
           {"port", "587"},
           {"tls", "required"},
           {"pins", std::string(64, 'a') + "," + std::string(64, 'b')},
           {"concurrency", "4"}},
          id,
          1000,
          id};
}

}  // namespace

std::vector<std::string> fuzz_seeds() {
  const Id id = Id::from_bytes("tenant--tenant--");
  broker::AuthdJob job{{}, "policy", "route.submit", "receipt", "us.example", "id"};
  job.route.id = job.route.tenant = id;
  job.route.kind = access::RouteKind::relay;
  job.route.host = "mx.example";
  job.route.pins = {std::string(64, 'a')};
  return {encode(broker::OpenSession{id, id, id}),
          encode(job),
          encode(broker::SessionReport{1, 1000, 0, 0, {}, "closed"}),
          encode(route_operation()),
          encode(broker::WorkReport{id, id, "backup.expired", {{"items", 3}, {"bytes", 1000}}}),
          encode(broker::ExportMade{std::string(32, 'o'), std::string(32, 'm'), 3, 1, 1000}),
          encode(broker::RestoreMade{std::string(32, 'o'), 3, 1, 0, 1, 2, false, true}),
          encode(broker::OpenConnection{id, access::ConnectionKind::imap, "restore.write", id, id, std::string(32, 'o'), id})};
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (const auto request = broker::parse_open_session(bytes); request && encode(*request) != bytes) std::abort();
  if (const auto made = broker::parse_export_made(bytes); made && encode(*made) != bytes) std::abort();
  if (const auto made = broker::parse_restore_made(bytes)) {
    const auto again = broker::parse_restore_made(encode(*made));
    if (!again || again->operation != made->operation || again->differing != made->differing) std::abort();
  }
  if (const auto request = broker::parse_open_connection(bytes); request && encode(*request) != bytes) std::abort();
  if (const auto report = broker::parse_session_report(bytes); report && encode(*report) != bytes) std::abort();
  if (const auto report = broker::parse_work_report(bytes)) {
    const auto again = broker::parse_work_report(encode(*report));
    if (!again || again->counts != report->counts || report->counts.contains("mailbox")) std::abort();
  }
  if (const auto job = broker::parse_authd_job(bytes)) {
    const auto again = broker::parse_authd_job(encode(*job));
    if (!again || !(again->route == job->route) || again->envelope_id != job->envelope_id) std::abort();
  }
  if (const auto operation = access::parse_operation(bytes)) {
    const auto route = broker::route_from(*operation, Id::from_bytes("route---route---"));
    if (route && !check_route(*route)) std::abort();
  }
  return 0;
}
