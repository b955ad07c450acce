#include "core/broker/route_book.h"

#include "base/log.h"
#include "formats/sealed/sealed.h"

namespace mailhold::broker {
namespace {

using records::Value;

const records::Schema schema{
    "routes",
    {"CREATE TABLE route (id bytea PRIMARY KEY, tenant bytea NOT NULL, version bigint NOT NULL, sealed bytea NOT NULL);"
     "CREATE TABLE default_route (tenant bytea PRIMARY KEY, route bytea NOT NULL);"}};

sealed::Context context_of(const std::string& region, Id tenant, Id route, std::uint64_t version, std::uint32_t key_version) {
  sealed::Context context;
  context.region = region;
  context.tenant = tenant;
  context.kind = sealed::Kind::configuration;
  context.object_id = std::string(route.bytes());
  context.version = version;
  context.key_id = tenant;
  context.key_version = key_version;
  context.extra = "route";
  return context;
}

}  // namespace

Result<std::unique_ptr<RouteBook>> RouteBook::open(records::Records& records, ConfigurationKey key, std::string region,
                                                   const Clock& clock, const Deadline& deadline) {
  RETURN_IF_ERROR(records.migrate(schema, deadline));
  return std::unique_ptr<RouteBook>(new RouteBook(records, std::move(key), std::move(region), clock));
}

Result<access::Route> RouteBook::open_row(const records::Values& row, const Deadline& deadline) {
  const Id id = Id::from_bytes(row[0].bytes());
  const Id tenant = Id::from_bytes(row[1].bytes());
  const auto version = static_cast<std::uint64_t>(row[2].number());
  ASSIGN_OR_RETURN(const keys::PurposeKey key, key_(tenant, deadline));
  ASSIGN_OR_RETURN(const std::string bytes,
                   sealed::open(key.key.reveal(), context_of(region_, tenant, id, version, key.version), row[3].bytes()));
  ByteReader reader(bytes);
  ASSIGN_OR_RETURN(access::Route route, access::read_route(reader));
  RETURN_IF_ERROR(reader.finish());
  return route;
}

Status RouteBook::read(const Deadline& deadline) {
  access::RouteTable table;
  ASSIGN_OR_RETURN(const records::Rows rows,
                   records_.query("SELECT id, tenant, version, sealed FROM route ORDER BY id", {}, deadline));
  for (const auto& row : rows) {
    auto route = open_row(row, deadline);
    // One tenant's damaged or shredded row must not stop the mail of the others.
    if (!route && route.error().kind != ErrorKind::unavailable) {
      log_error("broker",
                "route " + Id::from_bytes(row[0].bytes()).text() + " does not open: " + std::string(name_of(route.error().kind)));
      continue;
    }
    if (!route) return route.error();
    table.routes.push_back(std::move(*route));
  }
  ASSIGN_OR_RETURN(const records::Rows defaults,
                   records_.query("SELECT tenant, route FROM default_route ORDER BY tenant", {}, deadline));
  for (const auto& row : defaults) table.defaults.push_back({Id::from_bytes(row[0].bytes()), Id::from_bytes(row[1].bytes())});
  table.version = static_cast<std::uint64_t>(clock_.now());
  table_ = std::move(table);
  return done();
}

void RouteBook::touch() {
  if (table_) table_->version = std::max(table_->version + 1, static_cast<std::uint64_t>(clock_.now()));
}

Result<access::RouteTable> RouteBook::table(const Deadline& deadline) {
  const std::lock_guard lock(mutex_);
  if (!table_) RETURN_IF_ERROR(read(deadline));
  return *table_;
}

Status RouteBook::set(const access::Route& route, const Deadline& deadline) {
  RETURN_IF_ERROR(access::check_route(route));
  const std::lock_guard lock(mutex_);
  if (!table_) RETURN_IF_ERROR(read(deadline));
  const access::Route* before = table_->route(route.id);
  if (before != nullptr && before->tenant != route.tenant) return Error{ErrorKind::not_found, "no such route of this tenant"};
  ASSIGN_OR_RETURN(const keys::PurposeKey key, key_(route.tenant, deadline));
  const auto version = static_cast<std::uint64_t>(clock_.now());
  ByteWriter bytes;
  access::write_route(bytes, route);
  const std::string row =
      sealed::seal(key.key.reveal(), context_of(region_, route.tenant, route.id, version, key.version), bytes.view());
  RETURN_IF_ERROR(records_.execute(
      "INSERT INTO route (id, tenant, version, sealed) VALUES ($1, $2, $3, $4) "
      "ON CONFLICT (id) DO UPDATE SET version = excluded.version, sealed = excluded.sealed",
      {Value::bytes_of(route.id.bytes()), Value::bytes_of(route.tenant.bytes()), Value(version), Value::bytes_of(row)},
      deadline));
  std::erase_if(table_->routes, [&](const access::Route& each) { return each.id == route.id; });
  table_->routes.push_back(route);
  touch();
  return done();
}

Status RouteBook::remove(Id tenant, Id route, const Deadline& deadline) {
  const std::lock_guard lock(mutex_);
  if (!table_) RETURN_IF_ERROR(read(deadline));
  const access::Route* found = table_->route(route);
  if (found == nullptr || found->tenant != tenant) return Error{ErrorKind::not_found, "no such route of this tenant"};
  for (const auto& each : table_->routes) {
    if (each.failover == route) return Error{ErrorKind::denied, "it is the failover of route " + each.id.text()};
  }
  RETURN_IF_ERROR(records_.transaction(
      [&](records::Session& session) -> Status {
        RETURN_IF_ERROR(
            session.execute("DELETE FROM default_route WHERE route = $1", {Value::bytes_of(route.bytes())}, deadline));
        RETURN_IF_ERROR(session.execute("DELETE FROM route WHERE id = $1", {Value::bytes_of(route.bytes())}, deadline));
        return done();
      },
      deadline));
  std::erase_if(table_->defaults, [&](const access::TenantRoute& each) { return each.route == route; });
  std::erase_if(table_->routes, [&](const access::Route& each) { return each.id == route; });
  touch();
  return done();
}

Status RouteBook::set_default(Id tenant, Id route, const Deadline& deadline) {
  const std::lock_guard lock(mutex_);
  if (!table_) RETURN_IF_ERROR(read(deadline));
  const access::Route* found = table_->route(route);
  if (found == nullptr || found->tenant != tenant) return Error{ErrorKind::not_found, "no such route of this tenant"};
  RETURN_IF_ERROR(records_.execute(
      "INSERT INTO default_route (tenant, route) VALUES ($1, $2) ON CONFLICT (tenant) DO UPDATE SET route = excluded.route",
      {Value::bytes_of(tenant.bytes()), Value::bytes_of(route.bytes())}, deadline));
  std::erase_if(table_->defaults, [&](const access::TenantRoute& each) { return each.tenant == tenant; });
  table_->defaults.push_back({tenant, route});
  touch();
  return done();
}

}  // namespace mailhold::broker
