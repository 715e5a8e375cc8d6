/* SPDX-License-Identifier: MIT
 * interrupt.c: Ctrl-C and SIGTERM as something to wait for, so that work ends between two rows. */
#include "interrupt.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { PATIENCE_S = 1 };

static atomic_int caught; /* lock-free, so a handler may store it */
static int event = -1;

void interrupt_wake(void)
{
    const uint64_t one = 1;

    if (event >= 0 && write(event, &one, sizeof one) < 0) return; /* full: it is awake already */
}

static void end_by(int number)
{
    signal(number, SIG_DFL);
    raise(number);
}

static void give_up(int number)
{
    (void)number;
    interrupt_end();
}

/* A handler: it calls only what is safe in one, and so do the two above. */
static void note(int number)
{
    const struct sigaction when_due = {.sa_handler = give_up};
    const int saved = errno;
    int none = 0;

    if (atomic_compare_exchange_strong(&caught, &none, number)) {
        sigaction(SIGALRM, &when_due, NULL);
        alarm(PATIENCE_S);
        interrupt_wake();
    } else {
        end_by(number);
    }
    errno = saved;
}

/* Whoever started the program may have blocked the alarm. */
static void let_the_alarm_in(void)
{
    sigset_t only;

    sigemptyset(&only);
    sigaddset(&only, SIGALRM);
    pthread_sigmask(SIG_UNBLOCK, &only, NULL);
}

static void catch_one(int number)
{
    struct sigaction action = {.sa_handler = note, .sa_flags = (int)SA_RESETHAND};
    struct sigaction before;

    sigemptyset(&action.sa_mask);
    if (sigaction(number, NULL, &before) == 0 && before.sa_handler != SIG_IGN)
        sigaction(number, &action, NULL);
}

void interrupt_catch(void)
{
    const int made = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

    /* Where standard input or output is closed, its number must not be taken. */
    if (made >= 0) {
        event = fcntl(made, F_DUPFD_CLOEXEC, 3);
        close(made);
    }
    let_the_alarm_in();
    catch_one(SIGINT);
    catch_one(SIGTERM);
}

bool interrupt_came(void)
{
    return atomic_load(&caught) != 0;
}

int interrupt_fd(void)
{
    return event;
}

void interrupt_end(void)
{
    const int number = atomic_load(&caught);

    if (number != 0) end_by(number);
}
