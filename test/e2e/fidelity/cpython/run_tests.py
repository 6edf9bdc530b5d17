"""Runs tests of CPython's by their dotted names and prints, as its last line, a JSON object of the outcome of each.

Optional test resources are off but those that need neither network nor display.
"""

import json
import sys
import unittest

from test import support


class Outcomes(unittest.TestResult):
    """{test: 'passed' | 'skipped' | 'failed'}, and why a test failed."""

    def __init__(self):
        super().__init__()
        self.outcomes = {}
        self.reasons = {}

    def addSuccess(self, test):
        self.outcomes.setdefault(test.id(), 'passed')

    def addExpectedFailure(self, test, error):
        self.addSuccess(test)

    def addSkip(self, test, reason):
        self.outcomes.setdefault(test.id(), 'skipped')

    def addUnexpectedSuccess(self, test):
        self._fail(test, 'passes, which it should not')

    def addFailure(self, test, error):
        self._fail(test, self._exc_info_to_string(error, test))

    addError = addFailure

    def addSubTest(self, test, subtest, error):
        if error is not None:
            self.addFailure(test, error)

    def _fail(self, test, reason):
        self.outcomes[test.id()] = 'failed'
        self.reasons.setdefault(test.id(), reason[-2000:])


if __name__ == '__main__':
    support.use_resources = ['cpu', 'subprocess', 'walltime']
    result = Outcomes()
    unittest.defaultTestLoader.loadTestsFromNames(sys.argv[1:]).run(result)
    sys.stdout.flush()
    print('\n' + json.dumps({'outcomes': result.outcomes, 'reasons': result.reasons}))
