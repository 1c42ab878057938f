"""The rehearsal's loaded AWS CLI is fast enough to deploy a stack twice within a second."""

import sys
import unittest
from pathlib import Path
from unittest import mock

sys.path.insert(0, str(Path(__file__).parents[1] / "rehearsal"))

import aws_cli


class AwsCli(unittest.TestCase):
    def test_two_change_sets_of_one_second_have_different_names(self):
        aws_cli.load()
        from awscli.customizations.cloudformation.deployer import Deployer

        cloudformation = mock.MagicMock()
        cloudformation.describe_stacks.return_value = {"Stacks": [{"StackStatus": "REVIEW_IN_PROGRESS"}]}
        with mock.patch("time.time", return_value=1):
            for _ in range(2):
                Deployer(cloudformation).create_changeset("stack", "{}", [], [], None, None, None, [])
        first, second = (call.kwargs["ChangeSetName"] for call in cloudformation.create_change_set.call_args_list)
        self.assertNotEqual(first, second)


if __name__ == "__main__":
    unittest.main()
