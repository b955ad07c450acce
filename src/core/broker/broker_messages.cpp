#include "core/broker/broker_messages.h"

#include <algorithm>

#include "base/bytes.h"

namespace mailhold::broker {
namespace {

constexpr std::size_t hash_bytes = 32;
constexpr std::uint64_t count_max = std::uint64_t{1} << 53;  // as the ledger's numbers

}  // namespace

std::string encode(const OpenSession& request) {
  return ByteWriter().raw(request.tenant.bytes()).raw(request.route.bytes()).raw(request.job.bytes()).take();
}

Result<OpenSession> parse_open_session(std::string_view bytes) {
  ByteReader reader(bytes);
  OpenSession request;
  request.tenant = Id::from_bytes(reader.raw(Id::size));
  request.route = Id::from_bytes(reader.raw(Id::size));
  request.job = Id::from_bytes(reader.raw(Id::size));
  RETURN_IF_ERROR(reader.finish());
  return request;
}

std::string encode(const OpenConnection& request) {
  ByteWriter writer;
  writer.raw(request.connection.bytes())
      .u8(static_cast<std::uint8_t>(request.kind))
      .text(request.purpose)
      .raw(request.job.bytes())
      .raw(request.tenant.bytes())
      .text(request.permit)
      .raw(request.written.bytes());
  return writer.take();
}

Result<OpenConnection> parse_open_connection(std::string_view bytes) {
  ByteReader reader(bytes);
  OpenConnection request;
  request.connection = Id::from_bytes(reader.raw(Id::size));
  request.kind = static_cast<access::ConnectionKind>(reader.u8());
  request.purpose = reader.text();
  request.job = Id::from_bytes(reader.raw(Id::size));
  request.tenant = Id::from_bytes(reader.raw(Id::size));
  request.permit = reader.text();
  request.written = Id::from_bytes(reader.raw(Id::size));
  RETURN_IF_ERROR(reader.finish());
  if (!request.permit.empty() && request.permit.size() != hash_bytes)
    return Error{ErrorKind::corrupt, "a permit is named by a hash"};
  return request;
}

std::string encode(const WorkReport& report) {
  ByteWriter writer;
  writer.raw(report.tenant.bytes()).raw(report.mailbox.bytes()).text(report.type);
  writer.u32(static_cast<std::uint32_t>(report.counts.size()));
  for (const auto& [name, count] : report.counts) writer.text(name).u64(count);
  return writer.take();
}

Result<WorkReport> parse_work_report(std::string_view bytes) {
  constexpr std::size_t counts_max = 16, name_bytes_max = 32;
  ByteReader reader(bytes);
  WorkReport report;
  report.tenant = Id::from_bytes(reader.raw(Id::size));
  report.mailbox = Id::from_bytes(reader.raw(Id::size));
  report.type = reader.text();
  bool is_sound = true;
  for (std::uint32_t left = reader.count(12); left > 0; --left) {
    const std::string name(reader.text());
    is_sound =
        is_sound && !name.empty() && name.size() <= name_bytes_max && name != "mailbox" &&
        std::all_of(name.begin(), name.end(), [](char letter) { return (letter >= 'a' && letter <= 'z') || letter == '_'; });
    report.counts[name] = reader.u64();
  }
  RETURN_IF_ERROR(reader.finish());
  if (!is_sound || report.counts.size() > counts_max) return Error{ErrorKind::corrupt, "a report that counts oddly"};
  if (std::find(std::begin(work_report_types), std::end(work_report_types), report.type) == std::end(work_report_types))
    return Error{ErrorKind::denied, "a worker may not report that"};
  return report;
}

std::string encode(const ExportMade& made) {
  return ByteWriter().text(made.operation).text(made.manifest_sha256).u64(made.items).u64(made.failed).u64(made.bytes).take();
}

Result<ExportMade> parse_export_made(std::string_view bytes) {
  ByteReader reader(bytes);
  ExportMade made;
  made.operation = reader.text();
  made.manifest_sha256 = reader.text();
  made.items = reader.u64();
  made.failed = reader.u64();
  made.bytes = reader.u64();
  RETURN_IF_ERROR(reader.finish());
  if (made.operation.size() != hash_bytes || made.manifest_sha256.size() != hash_bytes || made.items >= count_max ||
      made.failed >= count_max || made.bytes >= count_max)
    return Error{ErrorKind::corrupt, "what an export came to does not read"};
  return made;
}

std::string encode(const RestoreMade& made) {
  ByteWriter writer;
  writer.text(made.operation).u64(made.restored).u64(made.present).u64(made.missing).u64(made.differing).u64(made.overwritten);
  return writer.u8(made.is_dry_run ? 1 : 0).u8(made.is_whole ? 1 : 0).take();
}

Result<RestoreMade> parse_restore_made(std::string_view bytes) {
  ByteReader reader(bytes);
  RestoreMade made;
  made.operation = reader.text();
  bool is_sound = made.operation.size() == hash_bytes;
  for (std::uint64_t* count : {&made.restored, &made.present, &made.missing, &made.differing, &made.overwritten}) {
    *count = reader.u64();
    is_sound = is_sound && *count < count_max;
  }
  made.is_dry_run = reader.u8() != 0;
  made.is_whole = reader.u8() != 0;
  RETURN_IF_ERROR(reader.finish());
  if (!is_sound) return Error{ErrorKind::corrupt, "what a restore came to does not read"};
  return made;
}

std::string encode(const ConnectionJob& job) {
  ByteWriter writer;
  return writer.text(access::write_connection(job.connection)).text(job.purpose).text(job.receipt).text(job.use_id).take();
}

Result<ConnectionJob> parse_connection_job(std::string_view bytes) {
  ByteReader reader(bytes);
  ConnectionJob job;
  ASSIGN_OR_RETURN(job.connection, access::parse_connection(reader.text()));
  job.purpose = reader.text();
  job.receipt = reader.text();
  job.use_id = reader.text();
  RETURN_IF_ERROR(reader.finish());
  return job;
}

std::string encode(const AuthdJob& job) {
  ByteWriter writer;
  access::write_route(writer, job.route);
  return writer.text(job.policy).text(job.purpose).text(job.receipt).text(job.our_name).text(job.envelope_id).take();
}

Result<AuthdJob> parse_authd_job(std::string_view bytes) {
  ByteReader reader(bytes);
  AuthdJob job;
  ASSIGN_OR_RETURN(job.route, access::read_route(reader));
  job.policy = reader.text();
  job.purpose = reader.text();
  job.receipt = reader.text();
  job.our_name = reader.text();
  job.envelope_id = reader.text();
  RETURN_IF_ERROR(reader.finish());
  return job;
}

std::string encode(const SessionReport& report) {
  return ByteWriter()
      .u32(report.messages)
      .u64(report.bytes)
      .u64(report.items)
      .u64(report.refused)
      .u64(report.unused.items)
      .u64(report.unused.bytes)
      .text(report.end)
      .take();
}

Result<SessionReport> parse_session_report(std::string_view bytes) {
  ByteReader reader(bytes);
  SessionReport report;
  report.messages = reader.u32();
  report.bytes = reader.u64();
  report.items = reader.u64();
  report.refused = reader.u64();
  report.unused.items = reader.u64();
  report.unused.bytes = reader.u64();
  report.end = reader.text();
  RETURN_IF_ERROR(reader.finish());
  return report;
}

std::string policy_of(const access::Route& route) {
  ByteWriter writer;
  const bool by_password = route.sign_in == access::SignIn::password;
  writer.text(by_password ? "mailhold-policy-1" : "mailhold-policy-3")
      .text(submit_purpose)
      .raw(route.tenant.bytes())
      .raw(route.id.bytes());
  writer.text(route.host).u16(route.port).u8(static_cast<std::uint8_t>(route.tls)).u8(route.tls_from_start ? 1 : 0);
  writer.text(route.name).text(route.ca_file).u32(static_cast<std::uint32_t>(route.pins.size()));
  for (const auto& pin : route.pins) writer.text(pin);
  if (!by_password) {
    writer.u8(static_cast<std::uint8_t>(route.sign_in)).text(route.user).text(route.token_host).u16(route.token_port);
  }
  return writer.take();
}

}  // namespace mailhold::broker
