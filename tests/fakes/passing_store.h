// A store that passes everything on to another one: a test overrides what it wants to see or to hold up.
#pragma once

#include "core/store/message_store.h"

namespace mailhold::store {

class PassingStore : public MessageStore {
 public:
  explicit PassingStore(MessageStore& store) : store_(store) {}
  Status inspect(Id tenant, const std::vector<Id>& messages, const IsOf& is_of, const Found& found,
                 const Deadline& deadline) override {
    return store_.inspect(tenant, messages, is_of, found, deadline);
  }
  Result<std::vector<Kept>> keep(const std::vector<NewMessage>& messages, const Deadline& deadline) override {
    return store_.keep(messages, deadline);
  }
  Result<std::string> retrieve(Id tenant, Id message, const Deadline& deadline, const IsOf& is_of) override {
    return store_.retrieve(tenant, message, deadline, is_of);
  }
  Result<std::uint64_t> expire_day(Id tenant, Epoch epoch, const Deadline& deadline) override {
    return store_.expire_day(tenant, epoch, deadline);
  }
  Status forget(Id tenant, Id message, const Deadline& deadline) override { return store_.forget(tenant, message, deadline); }
  Result<std::uint64_t> release(Id tenant, const std::vector<Id>& messages, const Deadline& deadline) override {
    return store_.release(tenant, messages, deadline);
  }
  Result<Salvaged> release_from_damage(Id tenant, const std::vector<Id>& messages, const Salvage& salvage,
                                       const Deadline& deadline) override {
    return store_.release_from_damage(tenant, messages, salvage, deadline);
  }
  Status rewrap(Id tenant, Id message, Epoch epoch, const Deadline& deadline) override {
    return store_.rewrap(tenant, message, epoch, deadline);
  }
  Result<std::uint64_t> rewrap_epoch(Id tenant, Epoch epoch, std::uint32_t limit, const Deadline& deadline) override {
    return store_.rewrap_epoch(tenant, epoch, limit, deadline);
  }
  Result<Reclaimed> collect(const Deadline& deadline) override { return store_.collect(deadline); }
  Result<std::uint64_t> rebuild(const Deadline& deadline) override { return store_.rebuild(deadline); }

 private:
  MessageStore& store_;
};

}  // namespace mailhold::store
