#include "features/gateway/queue/routes.h"

namespace mailhold::queue {

const Id& Routes::mx_route_id() {
  static const Id id = Id::from_bytes("notices-by-mx...");
  return id;
}

Routes::Routes(access::RouteTable table, NoticesGo notices) : notices_(notices) {
  access::Route mx;
  mx.id = mx_route_id();
  mx.kind = access::RouteKind::mx;
  mx.tls = access::RouteTls::opportunistic;
  table.routes.push_back(std::move(mx));
  table_ = std::make_shared<const access::RouteTable>(std::move(table));
  for (const access::Route& route : table_->routes) by_id_[route.id] = &route;
  for (const access::TenantRoute& entry : table_->defaults) {
    const access::Route* found = route(entry.route);
    if (found != nullptr && found->tenant == entry.tenant) by_tenant_[entry.tenant] = found;
  }
}

const access::Route* Routes::route(const Id& id) const {
  const auto found = by_id_.find(id);
  return found == by_id_.end() ? nullptr : found->second;
}

const access::Route* Routes::route_for(const QueueItem& item) const {
  if (item.is_notice && notices_ == NoticesGo::by_mx) return route(mx_route_id());
  const auto found = by_tenant_.find(item.tenant);
  return found == by_tenant_.end() ? nullptr : found->second;
}

}  // namespace mailhold::queue
