#include "features/tenants/tenant_book.h"

#include "base/bytes.h"
#include "base/log.h"
#include "base/text.h"
#include "formats/sealed/sealed.h"

namespace mailhold::tenants {
namespace {

using records::Value;

const records::Schema schema{"tenants",
                             {"CREATE TABLE tenant (id bytea PRIMARY KEY, version bigint NOT NULL, sealed bytea NOT NULL);"}};
constexpr std::size_t name_bytes_max = 128;

sealed::Context context_of(const std::string& region, Id tenant, std::uint64_t version, std::uint32_t key_version) {
  sealed::Context context;
  context.region = region;
  context.tenant = tenant;
  context.kind = sealed::Kind::configuration;
  context.object_id = std::string(tenant.bytes());
  context.version = version;
  context.key_id = tenant;
  context.key_version = key_version;
  context.extra = "tenant";
  return context;
}

void write_list(ByteWriter& writer, const std::vector<std::string>& list) {
  writer.u32(static_cast<std::uint32_t>(list.size()));
  for (const auto& item : list) writer.text(item);
}

std::vector<std::string> read_list(ByteReader& reader) {
  std::vector<std::string> list;
  for (std::uint32_t left = reader.count(4); left > 0; --left) list.emplace_back(reader.text());
  return list;
}

std::string encode(const TenantEntry& entry) {
  ByteWriter writer;
  writer.text(gateway::write_directory({1, 0, {entry.tenant}}));
  write_list(writer, entry.link_allow);
  write_list(writer, entry.link_deny);
  return writer.take();
}

Result<TenantEntry> parse_entry(std::string_view bytes) {
  ByteReader reader(bytes);
  ASSIGN_OR_RETURN(gateway::DirectorySnapshot one, gateway::parse_directory(reader.text()));
  if (one.tenants.size() != 1) return Error{ErrorKind::corrupt, "a tenant row holds one tenant"};
  TenantEntry entry;
  entry.tenant = std::move(one.tenants.front());
  entry.link_allow = read_list(reader);
  entry.link_deny = read_list(reader);
  RETURN_IF_ERROR(reader.finish());
  return entry;
}

}  // namespace

Result<std::unique_ptr<TenantBook>> TenantBook::open(records::Records& records, ConfigurationKey key, TenantKeyring keyring,
                                                     std::string region, const Clock& clock, const Deadline& deadline) {
  RETURN_IF_ERROR(records.migrate(schema, deadline));
  return std::unique_ptr<TenantBook>(new TenantBook(records, std::move(key), std::move(keyring), std::move(region), clock));
}

Status TenantBook::read(const Deadline& deadline) {
  if (is_read_) return done();
  ASSIGN_OR_RETURN(const records::Rows rows, records_.query("SELECT id, version, sealed FROM tenant", {}, deadline));
  std::map<Id, TenantEntry> entries;
  for (const auto& row : rows) {
    const Id id = Id::from_bytes(row[0].bytes());
    auto key = key_(id, deadline);
    if (!key && key.error().kind == ErrorKind::unavailable) return key.error();
    const auto read_one = [&]() -> Result<TenantEntry> {
      if (!key) return key.error();
      const auto version = static_cast<std::uint64_t>(row[1].number());
      ASSIGN_OR_RETURN(const std::string bytes,
                       sealed::open(key->key.reveal(), context_of(region_, id, version, key->version), row[2].bytes()));
      return parse_entry(bytes);
    };
    // One tenant that cannot be read must not stop the mail of the others.
    auto entry = read_one();
    if (entry) {
      entries[id] = std::move(*entry);
    } else {
      log_error("tenants", "tenant " + id.text() + " does not open: " + std::string(name_of(entry.error().kind)));
    }
  }
  entries_ = std::move(entries);
  version_ = static_cast<std::uint64_t>(clock_.now());
  is_read_ = true;
  return done();
}

Status TenantBook::write(const TenantEntry& entry, const Deadline& deadline) {
  const Id id = entry.tenant.id;
  ASSIGN_OR_RETURN(const keys::PurposeKey key, key_(id, deadline));
  const auto version = std::max(version_ + 1, static_cast<std::uint64_t>(clock_.now()));
  const std::string row = sealed::seal(key.key.reveal(), context_of(region_, id, version, key.version), encode(entry));
  RETURN_IF_ERROR(
      records_.execute("INSERT INTO tenant (id, version, sealed) VALUES ($1, $2, $3) "
                       "ON CONFLICT (id) DO UPDATE SET version = excluded.version, sealed = excluded.sealed",
                       {Value::bytes_of(id.bytes()), Value(version), Value::bytes_of(row)}, deadline));
  entries_[id] = entry;
  version_ = version;
  return done();
}

gateway::DirectorySnapshot TenantBook::snapshot() const {
  gateway::DirectorySnapshot snapshot;
  snapshot.version = version_;
  snapshot.issued_at = clock_.now();
  for (const auto& [id, entry] : entries_) snapshot.tenants.push_back(entry.tenant);
  return snapshot;
}

Result<std::vector<TenantEntry>> TenantBook::list(const Deadline& deadline) {
  const std::lock_guard lock(mutex_);
  RETURN_IF_ERROR(read(deadline));
  std::vector<TenantEntry> list;
  for (const auto& [id, entry] : entries_) list.push_back(entry);
  return list;
}

Result<gateway::DirectorySnapshot> TenantBook::directory(const Deadline& deadline) {
  const std::lock_guard lock(mutex_);
  RETURN_IF_ERROR(read(deadline));
  return snapshot();
}

Result<links::LinkPolicies> TenantBook::link_policies(const Deadline& deadline) {
  const std::lock_guard lock(mutex_);
  RETURN_IF_ERROR(read(deadline));
  links::LinkPolicies policies;
  for (const auto& [id, entry] : entries_) {
    links::LinkPolicy& policy = policies.tenants[id];
    for (const auto& domain : entry.tenant.domains) policy.domains.push_back(domain.name);
    policy.name = entry.tenant.name;
    policy.allow = entry.link_allow;
    policy.deny = entry.link_deny;
  }
  return policies;
}

Result<Id> TenantBook::add(const std::string& name, const Deadline& deadline) {
  if (name.empty() || name.size() > name_bytes_max) return Error{ErrorKind::invalid_input, "a tenant's name has 1 to 128 bytes"};
  if (Id::parse(name)) return Error{ErrorKind::invalid_input, "a tenant's name must not look like an id"};
  const std::lock_guard lock(mutex_);
  RETURN_IF_ERROR(read(deadline));
  for (const auto& [id, entry] : entries_) {
    if (equals_ignoring_case(entry.tenant.name, name)) return Error{ErrorKind::already_exists, "a tenant of that name exists"};
  }
  TenantEntry entry;
  entry.tenant.id = Id::random();
  entry.tenant.name = name;
  RETURN_IF_ERROR(keyring_.create(entry.tenant.id, deadline));
  RETURN_IF_ERROR(write(entry, deadline));
  return entry.tenant.id;
}

Status TenantBook::change(Id tenant, const Change& change, const Deadline& deadline) {
  const std::lock_guard lock(mutex_);
  RETURN_IF_ERROR(read(deadline));
  const auto found = entries_.find(tenant);
  if (found == entries_.end()) return Error{ErrorKind::not_found, "no such tenant"};
  TenantEntry changed = found->second;
  RETURN_IF_ERROR(change(changed));
  // The whole directory must still be sound: no domain of two tenants, no list beyond its limit.
  gateway::DirectorySnapshot all = snapshot();
  for (auto& each : all.tenants) {
    if (each.id == tenant) each = changed.tenant;
  }
  if (const auto built = gateway::Directory::build(std::move(all)); !built) return built.error();
  if (!parse_entry(encode(changed))) return Error{ErrorKind::limit_exceeded, "a list of the tenant is too long"};
  return write(changed, deadline);
}

// The keys first: a row that is left without them is taken away by the next try.
Status TenantBook::remove(Id tenant, const Deadline& deadline) {
  const std::lock_guard lock(mutex_);
  RETURN_IF_ERROR(read(deadline));
  if (!entries_.contains(tenant)) return Error{ErrorKind::not_found, "no such tenant"};
  const Status destroyed = keyring_.destroy(tenant, deadline);
  if (!destroyed && destroyed.error().kind != ErrorKind::not_found) return destroyed;
  RETURN_IF_ERROR(records_.execute("DELETE FROM tenant WHERE id = $1", {Value::bytes_of(tenant.bytes())}, deadline));
  RETURN_IF_ERROR(records_.forget_deleted(deadline));
  entries_.erase(tenant);
  version_ = std::max(version_ + 1, static_cast<std::uint64_t>(clock_.now()));
  return done();
}

Result<Id> TenantBook::find(const std::string& name_or_id, const Deadline& deadline) {
  const std::lock_guard lock(mutex_);
  RETURN_IF_ERROR(read(deadline));
  for (const auto& [id, entry] : entries_) {
    if (equals_ignoring_case(entry.tenant.name, name_or_id) || id.text() == name_or_id) return id;
  }
  return Error{ErrorKind::not_found, "no tenant of that name or id"};
}

}  // namespace mailhold::tenants
