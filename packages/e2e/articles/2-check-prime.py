# Article 2, "A simple and secure API": its client for primes, with another address and key.
import os
import requests

url = os.environ['ADDRESS'] + '/check-prime'
headers = {'Authorization': os.environ['API_KEY']}
data = {'number': 172983479832623897492387592384682937659382477}

response = requests.post(url, json=data, headers=headers)
print(response.json())
