// The Session that gatewayd out speaks itself: for routes without a credential.
#pragma once

#include "core/broker/smtp_session.h"
#include "features/gateway/outbound/session.h"

namespace mailhold::outbound {

std::unique_ptr<Session> direct_session(std::unique_ptr<broker::SmtpSession> session, std::string peer);

}  // namespace mailhold::outbound
