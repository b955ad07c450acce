#include "core/broker/keeping_book.h"

#include "formats/sealed/sealed.h"

namespace mailhold::broker {
namespace {

using records::Value;

const records::Schema schema{"keeping",
                             {"CREATE TABLE keeping (tenant bytea PRIMARY KEY, version bigint NOT NULL, sealed bytea NOT NULL)"}};

}  // namespace

sealed::Context KeepingBook::context(Id tenant, std::uint64_t version, std::uint32_t key_version) const {
  return {.region = region_,
          .tenant = tenant,
          .kind = sealed::Kind::configuration,
          .object_id = std::string(tenant.bytes()),
          .version = version,
          .key_id = tenant,
          .key_version = key_version,
          .extra = "keeping"};
}

Result<std::unique_ptr<KeepingBook>> KeepingBook::open(records::Records& records, ConfigurationKey key, std::string region,
                                                       const Deadline& deadline) {
  RETURN_IF_ERROR(records.migrate(schema, deadline));
  return std::unique_ptr<KeepingBook>(new KeepingBook(records, std::move(key), std::move(region)));
}

Result<KeepingBook::Read> KeepingBook::read(Id tenant, const Deadline& deadline) {
  ASSIGN_OR_RETURN(const records::Rows rows, records_.query("SELECT version, sealed FROM keeping WHERE tenant = $1",
                                                            {Value::bytes_of(tenant.bytes())}, deadline));
  if (rows.empty()) return Read{};
  ASSIGN_OR_RETURN(const keys::PurposeKey key, key_(tenant, deadline));
  Read read;
  read.version = static_cast<std::uint64_t>(rows[0][0].number());
  ASSIGN_OR_RETURN(const std::string bytes,
                   sealed::open(key.key.reveal(), context(tenant, read.version, key.version), rows[0][1].bytes()));
  ASSIGN_OR_RETURN(read.keeping, access::parse_keeping(bytes));
  return read;
}

Result<access::Keeping> KeepingBook::of(Id tenant, const Deadline& deadline) {
  ASSIGN_OR_RETURN(Read found, read(tenant, deadline));
  return std::move(found.keeping);
}

Status KeepingBook::change(Id tenant, const Change& change, const Deadline& deadline) {
  const std::lock_guard lock(changing_);
  ASSIGN_OR_RETURN(const Read before, read(tenant, deadline));
  ASSIGN_OR_RETURN(const std::optional<access::Keeping> after, change(before.keeping));
  if (!after) return done();
  ASSIGN_OR_RETURN(const keys::PurposeKey key, key_(tenant, deadline));
  const std::uint64_t version = before.version + 1;
  const std::string row = sealed::seal(key.key.reveal(), context(tenant, version, key.version), access::write_keeping(*after));
  RETURN_IF_ERROR(
      records_.execute("INSERT INTO keeping (tenant, version, sealed) VALUES ($1, $2, $3) "
                       "ON CONFLICT (tenant) DO UPDATE SET version = excluded.version, sealed = excluded.sealed",
                       {Value::bytes_of(tenant.bytes()), Value(version), Value::bytes_of(row)}, deadline));
  return done();
}

}  // namespace mailhold::broker
