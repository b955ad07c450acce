#include "features/gateway/directory.h"

#include "base/bytes.h"
#include "base/text.h"

namespace mailhold::gateway {
namespace {

constexpr std::uint8_t format_version = 1;
constexpr std::uint32_t tenants_max = 100'000;
constexpr std::uint32_t domains_max = 1'000;
constexpr std::uint32_t recipients_max = 1'000'000;
constexpr std::uint32_t blocked_types_max = 1'000;

void write_policy(ByteWriter& out, const Policy& policy) {
  out.u8(static_cast<std::uint8_t>(policy.scan)).u8(policy.rewrite_links ? 1 : 0);
  for (const Action action : {policy.virus, policy.dmarc_reject, policy.malformed, policy.blocked_type, policy.unscannable}) {
    out.u8(static_cast<std::uint8_t>(action));
  }
  out.u32(static_cast<std::uint32_t>(policy.blocked_types.size()));
  for (const std::string& type : policy.blocked_types) out.text(type);
}

// A value outside its enum makes the whole snapshot corrupt.
struct Checked {
  ByteReader& in;
  bool fine = true;
  bool flag() {
    const auto v = in.u8();
    fine = fine && v <= 1;
    return v == 1;
  }
  Action action() {
    const auto v = in.u8();
    fine = fine && v <= static_cast<std::uint8_t>(Action::reject);
    return static_cast<Action>(v);
  }
  std::uint32_t count(std::size_t item_bytes_min, std::uint32_t most) {
    const std::uint32_t n = in.count(item_bytes_min);
    fine = fine && n <= most;
    return fine ? n : 0;
  }
};

Policy read_policy(Checked& checked) {
  Policy policy;
  policy.scan = checked.flag() ? ScanMode::none : ScanMode::full;
  policy.rewrite_links = checked.flag();
  for (Action* action : {&policy.virus, &policy.dmarc_reject, &policy.malformed, &policy.blocked_type, &policy.unscannable})
    *action = checked.action();
  for (std::uint32_t i = checked.count(4, blocked_types_max); i > 0; --i) policy.blocked_types.emplace_back(checked.in.text());
  return policy;
}

void write_tenant(ByteWriter& out, const Tenant& tenant) {
  out.raw(tenant.id.bytes()).text(tenant.name).text(tenant.link_base).u8(tenant.suspended ? 1 : 0);
  write_policy(out, tenant.policy);
  out.u64(tenant.limits.message_bytes_max).u32(tenant.limits.recipients_max).u32(tenant.limits.connections_max);
  out.u32(static_cast<std::uint32_t>(tenant.domains.size()));
  for (const Domain& domain : tenant.domains) {
    out.text(domain.name).u8(domain.any_recipient ? 1 : 0).u32(static_cast<std::uint32_t>(domain.recipients.size()));
    for (const std::string& recipient : domain.recipients) out.text(recipient);
  }
}

Tenant read_tenant(Checked& checked) {
  ByteReader& in = checked.in;
  Tenant tenant;
  tenant.id = Id::from_bytes(in.raw(Id::size));
  tenant.name = std::string(in.text());
  tenant.link_base = std::string(in.text());
  tenant.suspended = checked.flag();
  tenant.policy = read_policy(checked);
  tenant.limits.message_bytes_max = in.u64();
  tenant.limits.recipients_max = in.u32();
  tenant.limits.connections_max = in.u32();
  for (std::uint32_t i = checked.count(9, domains_max); i > 0 && in.ok(); --i) {
    Domain domain;
    domain.name = std::string(in.text());
    domain.any_recipient = checked.flag();
    for (std::uint32_t j = checked.count(4, recipients_max); j > 0 && in.ok(); --j) domain.recipients.emplace_back(in.text());
    tenant.domains.push_back(std::move(domain));
  }
  return tenant;
}

}  // namespace

std::string write_directory(const DirectorySnapshot& snapshot) {
  ByteWriter out;
  out.u8(format_version).u64(snapshot.version).u64(static_cast<std::uint64_t>(snapshot.issued_at));
  out.u32(static_cast<std::uint32_t>(snapshot.tenants.size()));
  for (const Tenant& tenant : snapshot.tenants) write_tenant(out, tenant);
  return out.take();
}

Result<DirectorySnapshot> parse_directory(std::string_view bytes) {
  ByteReader in(bytes);
  if (in.u8() != format_version) return Error{ErrorKind::corrupt, "directory of an unknown version"};
  Checked checked{in};
  DirectorySnapshot snapshot;
  snapshot.version = in.u64();
  snapshot.issued_at = static_cast<Milliseconds>(in.u64());
  for (std::uint32_t i = checked.count(40, tenants_max); i > 0 && in.ok(); --i) snapshot.tenants.push_back(read_tenant(checked));
  RETURN_IF_ERROR(in.finish());
  if (!checked.fine) return Error{ErrorKind::corrupt, "directory with a value out of range"};
  return snapshot;
}

Result<Directory> Directory::build(DirectorySnapshot snapshot) {
  Directory directory;
  directory.snapshot_ = std::move(snapshot);
  auto& tenants = directory.snapshot_.tenants;
  for (std::uint32_t i = 0; i < tenants.size(); ++i) {
    const Tenant& tenant = tenants[i];
    if (tenant.id.is_none()) return Error{ErrorKind::invalid_input, "tenant without id"};
    if (!directory.tenants_.emplace(tenant.id, i).second) return Error{ErrorKind::invalid_input, "tenant listed twice"};
    for (const Domain& domain : tenant.domains) {
      if (domain.name.empty()) return Error{ErrorKind::invalid_input, "domain without name"};
      DomainEntry entry{i, domain.any_recipient, {}};
      for (const std::string& recipient : domain.recipients) entry.recipients.emplace(to_lower(recipient), true);
      if (!directory.domains_.emplace(to_lower(domain.name), std::move(entry)).second) {
        return Error{ErrorKind::invalid_input, "domain listed twice"};
      }
    }
  }
  return directory;
}

const Directory::DomainEntry* Directory::entry(std::string_view domain) const {
  const auto found = domains_.find(to_lower(domain));
  return found == domains_.end() ? nullptr : &found->second;
}

Directory::Match Directory::find(std::string_view local, std::string_view domain) const {
  const DomainEntry* found = entry(domain);
  if (found == nullptr) return {};
  const Tenant* tenant = &snapshot_.tenants[found->tenant];
  if (found->any_recipient) return {Known::yes, tenant};
  const std::string name = to_lower(local);
  if (found->recipients.contains(name)) return {Known::yes, tenant};
  const std::size_t plus = name.find('+');
  if (plus != std::string::npos && plus > 0 && found->recipients.contains(name.substr(0, plus))) return {Known::yes, tenant};
  return {Known::no_such_recipient, tenant};
}

const Tenant* Directory::tenant(const Id& id) const {
  const auto found = tenants_.find(id);
  return found == tenants_.end() ? nullptr : &snapshot_.tenants[found->second];
}

const Tenant* Directory::owner_of(std::string_view domain) const {
  const DomainEntry* found = entry(domain);
  return found == nullptr ? nullptr : &snapshot_.tenants[found->tenant];
}

}  // namespace mailhold::gateway
