// gatewayd: one program, two processes that share nothing but the spool folder.
#pragma once

namespace mailhold::gatewayd {

int run_inbound();   // "in": takes mail in; can write the spool, not read it
int run_outbound();  // "out": stores and delivers what the other one spooled

}  // namespace mailhold::gatewayd
