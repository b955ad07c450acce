// Routes: the route table as the queue asks it: which route does this message take?
// Immutable; share it by shared_ptr<const Routes>.
#pragma once

#include <memory>
#include <unordered_map>

#include "core/access/route.h"
#include "features/gateway/queue/queue_item.h"

namespace mailhold::queue {

enum class NoticesGo { by_mx, by_tenant_route };  // queue.notices: "mx" or "route"

class Routes {
 public:
  Routes(access::RouteTable table, NoticesGo notices);

  // Null when the tenant has no route.
  const access::Route* route_for(const QueueItem& item) const;
  const access::Route* route(const Id& id) const;
  std::shared_ptr<const access::RouteTable> table() const { return table_; }

  static const Id& mx_route_id();  // of the built-in route that notices take

 private:
  std::shared_ptr<const access::RouteTable> table_;
  NoticesGo notices_;
  std::unordered_map<Id, const access::Route*> by_id_;
  std::unordered_map<Id, const access::Route*> by_tenant_;
};

}  // namespace mailhold::queue
