// Chains as bytes: docs/formats/ledger.md, "State snapshot".
#include <algorithm>

#include "core/evidence/chains.h"

namespace mailhold::ledger {
namespace {

Error damaged() { return Error{ErrorKind::corrupt, "ledger: chains in the state snapshot are malformed"}; }

// Seven bits in each byte, the lowest first; the last byte has no high bit. The gaps between a tenant's entries are small
// numbers.
void write_varint(std::string& bytes, std::uint64_t value) {
  while (value >= 0x80) {
    bytes.push_back(static_cast<char>((value & 0x7f) | 0x80));
    value >>= 7;
  }
  bytes.push_back(static_cast<char>(value));
}

bool read_varint(std::string_view& bytes, std::uint64_t& value) {
  value = 0;
  for (unsigned shift = 0; shift < 63 && !bytes.empty(); shift += 7) {
    const auto byte = static_cast<unsigned char>(bytes.front());
    bytes.remove_prefix(1);
    value |= std::uint64_t{byte & 0x7fU} << shift;
    if (byte < 0x80) return true;
  }
  return false;
}

// In the order of their keys, so that the same log gives the same bytes whichever way it was read.
template <class Map>
auto sorted(const Map& map) {
  std::vector<const typename Map::value_type*> entries;
  for (const auto& entry : map) entries.push_back(&entry);
  std::sort(entries.begin(), entries.end(), [](const auto* one, const auto* other) { return one->first < other->first; });
  return entries;
}

}  // namespace

void Chains::write(ByteWriter& writer) const {
  writer.u64(tenants_.size());
  std::string gaps;
  for (const auto* entry : sorted(tenants_)) {
    const auto& [id, tenant] = *entry;
    gaps.clear();
    std::uint64_t before = 0;
    for (const std::uint64_t index : tenant.indexes) {
      write_varint(gaps, index - before);
      before = index;
    }
    writer.raw(id.bytes()).u64(tenant.head.seq).raw(tenant.head.leaf.bytes()).text(gaps);
  }
  writer.u64(connections_.size());
  for (const auto* entry : sorted(connections_)) {
    const auto& [key, connection] = *entry;
    writer.raw(key).u64(connection.head.seq).raw(connection.head.leaf.bytes()).u64(connection.index);
  }
}

Result<Chains> Chains::read(ByteReader& reader) {
  Chains chains;
  const std::uint64_t tenants = reader.u64();
  for (std::uint64_t i = 0; i < tenants && reader.ok(); ++i) {
    const Id id = Id::from_bytes(reader.raw(Id::size));
    Tenant tenant;
    tenant.head.seq = reader.u64();
    tenant.head.leaf = Hash::from_bytes(reader.raw(Hash::size));
    std::string_view gaps = reader.text();
    if (!reader.ok() || tenant.head.seq > gaps.size()) return damaged();  // each takes at least a byte
    tenant.indexes.reserve(tenant.head.seq);
    std::uint64_t index = 0;
    for (std::uint64_t gap = 0; !gaps.empty(); tenant.indexes.push_back(index)) {
      if (!read_varint(gaps, gap)) return damaged();
      index += gap;
    }
    if (tenant.indexes.size() != tenant.head.seq || !chains.tenants_.emplace(id, std::move(tenant)).second) return damaged();
  }
  const std::uint64_t connections = reader.u64();
  for (std::uint64_t i = 0; i < connections && reader.ok(); ++i) {
    std::string key(reader.raw(2 * Id::size));
    Connection connection;
    connection.head.seq = reader.u64();
    connection.head.leaf = Hash::from_bytes(reader.raw(Hash::size));
    connection.index = reader.u64();
    if (!chains.connections_.emplace(std::move(key), connection).second) return damaged();
  }
  if (!reader.ok()) return damaged();
  return chains;
}

}  // namespace mailhold::ledger
