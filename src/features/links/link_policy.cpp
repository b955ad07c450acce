#include "features/links/link_policy.h"

#include "base/bytes.h"

namespace mailhold::links {
namespace {

constexpr std::uint8_t snapshot_format = 1;
constexpr std::size_t tenants_max = 100'000;

void write_list(ByteWriter& out, const std::vector<std::string>& list) {
  out.u32(static_cast<std::uint32_t>(list.size()));
  for (const std::string& entry : list) out.text(entry);
}

Status read_list(ByteReader& in, std::vector<std::string>& list) {
  const std::uint32_t count = in.count(4);
  if (count > rules_max) return Error{ErrorKind::limit_exceeded, "too many rules of a tenant"};
  list.reserve(count);
  for (std::uint32_t i = 0; i < count && in.ok(); ++i) list.emplace_back(in.text());
  return done();
}

}  // namespace

std::string encode(const LinkPolicies& policies) {
  ByteWriter out;
  out.u8(snapshot_format).u32(static_cast<std::uint32_t>(policies.tenants.size()));
  for (const auto& [tenant, policy] : policies.tenants) {
    out.raw(tenant.bytes()).text(policy.name);
    write_list(out, policy.domains);
    write_list(out, policy.allow);
    write_list(out, policy.deny);
  }
  return out.take();
}

Result<LinkPolicies> parse_policies(std::string_view bytes) {
  ByteReader in(bytes);
  if (in.u8() != snapshot_format) return Error{ErrorKind::corrupt, "link policies of an unknown format"};
  const std::uint32_t count = in.count(Id::size + 16);
  if (count > tenants_max) return Error{ErrorKind::limit_exceeded, "too many tenants"};
  LinkPolicies policies;
  for (std::uint32_t i = 0; i < count && in.ok(); ++i) {
    LinkPolicy& policy = policies.tenants[Id::from_bytes(in.raw(Id::size))];
    policy.name = in.text();
    RETURN_IF_ERROR(read_list(in, policy.domains));
    RETURN_IF_ERROR(read_list(in, policy.allow));
    RETURN_IF_ERROR(read_list(in, policy.deny));
  }
  RETURN_IF_ERROR(in.finish());
  return policies;
}

}  // namespace mailhold::links
